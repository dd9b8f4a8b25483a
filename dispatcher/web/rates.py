"""Which rate rule a call counts under. The counting itself is the store's, exact over all gateways."""

from dataclasses import dataclass
from enum import StrEnum

from dispatcher.service.ports import RateRule
from dispatcher.service.ports.requests import HOUR_MS


class Rate(StrEnum):
    DEFAULT = "default"
    CREATE = "create"
    REGISTER = "register"
    REPORT = "report"  # of workers
    OUTPUT = "output"  # of workers: what their tasks say and leave
    NONE = "none"


OF_WORKERS = (Rate.REPORT, Rate.OUTPUT)


@dataclass(frozen=True, slots=True)
class Rates:
    """Calls per fixed minute and principal; `report` and `output` are per worker, and counted apart: tasks that talk
    much must not use up what keeps them alive. `hourly`: all calls of an hour, beside that; where
    it is set, no operation counts itself."""

    default: int = 100
    create: int = 50
    register: int = 10
    report: int = 6000
    enabled: bool = True
    hourly: int = 0
    output: int = 6000

    def rule(self, rate: Rate, dialect: str, key: str) -> RateRule | None:
        """The rule for one caller of one dialect; None when nothing is to be counted."""
        if not self.enabled or rate is Rate.NONE:
            return None
        limit: int = getattr(self, rate.value)
        return RateRule(f"{dialect}.{rate}", key, limit) if limit > 0 else None

    def hour_rule(self, dialect: str, key: str) -> RateRule | None:
        """The rule for the calls of an hour; None when they are not counted."""
        if not self.enabled or self.hourly <= 0:
            return None
        return RateRule(f"{dialect}.hour", key, self.hourly, HOUR_MS)
