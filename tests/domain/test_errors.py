"""What callers are told."""

from dispatcher.domain import errors
from dispatcher.domain.errors import AlreadyEnded, Conflict, DispatchError, Invalid, RateLimited, RateState


def all_errors(base: type[DispatchError]) -> list[type[DispatchError]]:
    return [base, *(one for sub in base.__subclasses__() for one in all_errors(sub))]


def test_every_kind_has_a_code_of_its_own() -> None:
    kinds = [
        kind for kind in all_errors(DispatchError) if kind.__module__ == errors.__name__ and kind.__subclasses__() == []
    ]
    codes = [kind.code for kind in kinds if kind is not AlreadyEnded]
    assert len(codes) == len(set(codes))
    assert all(code.isupper() and code != "INTERNAL_ERROR" for code in codes)


def test_a_code_can_be_told_and_a_field_named() -> None:
    ended = AlreadyEnded("too late", code="CANCELLED")
    assert (ended.code, ended.message, str(ended)) == ("CANCELLED", "too late", "too late")
    assert isinstance(ended, Conflict)
    assert Conflict("x").code == "CONFLICT", "the class keeps its own"
    assert Invalid("bad", field="runAt").field == "runAt"


def test_a_rate_refusal_says_when_to_come_back() -> None:
    error = RateLimited("slow down", RateState(50, 0, 60_000), 30)
    assert (error.state.limit, error.retry_after_s, error.code) == (50, 30, "RATE_LIMITED")
