import inspect

from dispatcher.domain import errors as e
from dispatcher.web.errors import close_code_of, error_headers, internal_error, status_of

STATE = e.RateState(100, 0, 1_704_557_400_001)


def _kinds() -> list[type[e.DispatchError]]:
    return [kind for _, kind in inspect.getmembers(e, inspect.isclass) if issubclass(kind, e.DispatchError)]


def test_every_error_has_its_own_status_below_500_but_for_faults_of_ours() -> None:
    faults = {kind for kind in _kinds() if status_of(kind) >= 500}
    assert faults == {e.DispatchError, e.Unavailable, e.UploadExpired}


def test_statuses_and_close_codes() -> None:
    assert status_of(e.StaleAttempt("x")) == status_of(e.AlreadyEnded("x", code="CANCELLED")) == 409
    assert (status_of(e.Invalid("x")), status_of(e.IllegalState("x")), status_of(e.KeyReused("x"))) == (400, 400, 422)
    assert (status_of(e.TooSlow("x")), status_of(internal_error())) == (408, 500)
    assert close_code_of(e.Unauthorized("x")) == 4401
    assert close_code_of(e.Unavailable("x")) == 1013


def test_headers_that_go_with_errors() -> None:
    limited = error_headers(e.RateLimited("x", STATE, 7))
    assert limited == {
        "X-RateLimit-Limit": "100",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "1704557401",
        "Retry-After": "7",
    }
    assert error_headers(e.RateLimited("x", STATE, 0))["Retry-After"] == "1"
    assert error_headers(e.Unavailable("x", 3)) == {"Retry-After": "3"}
    assert error_headers(e.QuotaExceeded("x")) == {"Retry-After": "1"}
    assert error_headers(e.MethodNotAllowed("x", ("GET", "PUT"))) == {"Allow": "GET, PUT"}
    assert error_headers(e.UpgradeRequired("x")) == {"Upgrade": "websocket", "Connection": "Upgrade"}
    assert "WWW-Authenticate" in error_headers(e.Unauthorized("x"))
    assert error_headers(e.NotFound("x")) == {}
