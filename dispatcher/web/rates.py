"""Which rate rule a call counts under. The counting itself is the store's, exact over all gateways."""

from dataclasses import dataclass
from enum import StrEnum

from dispatcher.service.ports import RateRule


class Rate(StrEnum):
    DEFAULT = "default"
    CREATE = "create"
    REGISTER = "register"
    REPORT = "report"  # of workers
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Rates:
    """Calls per fixed minute and principal; `report` is per worker."""

    default: int = 100
    create: int = 50
    register: int = 10
    report: int = 6000
    enabled: bool = True

    def rule(self, rate: Rate, dialect: str, key: str) -> RateRule | None:
        """The rule for one caller of one dialect; None when nothing is to be counted."""
        if not self.enabled or rate is Rate.NONE:
            return None
        limit: int = getattr(self, rate.value)
        return RateRule(f"{dialect}.{rate}", key, limit) if limit > 0 else None
