"""What a gateway knows of the fleet between two changes of the registry."""

from collections.abc import Mapping

from dispatcher.domain.lane import Demand, fits
from dispatcher.domain.server import Server


class Registry:
    """An immutable picture of the registered servers, valid for one `epoch`. Loads in it are stale: only scripts know.

    `demands` holds what each lane asks for, for the lanes this gateway has met.
    """

    def __init__(
        self, epoch: int, algorithm: str, servers: Mapping[str, Server], demands: Mapping[str, Demand]
    ) -> None:
        self.epoch = epoch
        self.algorithm = algorithm
        self.servers = servers
        self.demands = demands
        self._fitting: dict[str, tuple[Server, ...]] = {}

    def fitting(self, lane: str) -> tuple[Server, ...]:
        """Eligible servers for a lane by registration sequence; O(fleet) once per lane and epoch, then cached.

        Raises KeyError for a lane that this gateway has not met.
        """
        found = self._fitting.get(lane)
        if found is None:
            demand = self.demands[lane]
            fit = [s for s in self.servers.values() if s.eligible and fits(demand, s.offer)]
            found = self._fitting[lane] = tuple(sorted(fit, key=lambda s: s.seq))
        return found
