"""What no gateway could work with is refused, by the name of its key."""

import pytest

from dispatcher.settings import SettingsError, load
from dispatcher.settings.model import Settings
from dispatcher.settings.sections import Section
from dispatcher.settings.values import Duration, Size, range_of


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("DISPATCH__LEASE", "0s", "dispatch.lease: must be 2s to 1h"),
        ("DISPATCH__LEASE", "1999ms", "dispatch.lease: must be 2s to 1h"),
        ("DISPATCH__ACCEPTED_LEASE", "0s", "dispatch.accepted_lease: must be 2s to 1h"),
        ("DISPATCH__TIMEOUT", "0s", "dispatch.timeout: must be 100ms to 1d"),
        ("DISPATCH__RETRY_MAX", "100ms", "dispatch: retry_max must not be less than retry_base"),
        ("SERVERS__PROBE_EVERY", "0s", "servers.probe_every: must be 1s to 1h"),
        ("SERVERS__PROBE_EVERY", "30s", "servers: probe_every must be less than offline_after"),
        ("SERVERS__EJECT_MAX", "9s", "servers: eject_max must not be less than eject_base"),
        ("RETENTION__TASKS", "0s", "retention.tasks: must be 1m to 366d"),
        ("RETENTION__STATISTICS", "0s", "retention.statistics: must be 1d to 3660d"),
        ("SERVER__MAX_BODY", "0B", "server.max_body: must be 1KiB to 1GiB"),
        ("SERVER__MAX_BODY", "2GiB", "server.max_body: must be 1KiB to 1GiB"),
        ("SERVER__PUBLIC_URL", "gateway:8787", "server.public_url: must be an http:// or https:// URL"),
        ("AUTH__SERVER_TOKEN_TTL", "500ms", "auth.server_token_ttl: must be 1m to 366d"),
        ("AUTH__SERVER_TOKEN_TTL", "61500ms", "auth.server_token_ttl: must be in whole s"),
        ("AUTH__LEEWAY", "900ms", "auth.leeway: must be in whole s"),
    ],
)
def test_nonsense_is_refused(key: str, value: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({f"DISPATCHER_{key}": value})
    (line,) = caught.value.problems
    assert problem in line


@pytest.mark.parametrize(
    ("key", "value"), [("DISPATCH__LEASE", "2s"), ("DISPATCH__LEASE", "1h"), ("AUTH__LEEWAY", "0s")]
)
def test_the_ends_of_a_range_are_in_it(key: str, value: str) -> None:
    load({f"DISPATCHER_{key}": value})


def test_every_duration_and_size_has_a_range() -> None:
    with_unit = {type(one) for kind in (Duration, Size) for one in kind.__metadata__}
    seen = 0
    for section in Settings.model_fields.values():
        if not (isinstance(section.annotation, type) and issubclass(section.annotation, Section)):
            continue
        for name, field in section.annotation.model_fields.items():
            if with_unit <= {type(one) for one in field.metadata}:
                seen += 1
                assert range_of(field.metadata), name
    assert seen > 20, "the look at the types still finds them"
