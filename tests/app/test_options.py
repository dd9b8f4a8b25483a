"""Defaults of the configuration are the defaults of the parts."""

from typing import Any

import pytest

from dispatcher.app import options
from dispatcher.app.options import open_doors
from dispatcher.dialects.cloudai.options import CloudAIOptions
from dispatcher.dialects.farm.options import FarmOptions
from dispatcher.dialects.farm.socket import SocketLimits as FarmSocketLimits
from dispatcher.dialects.jobs.options import JobsOptions
from dispatcher.dialects.native.options import NativeOptions
from dispatcher.launch import Options as LaunchOptions
from dispatcher.service.dispatch import DispatchOptions
from dispatcher.settings import Settings
from dispatcher.store import StoreOptions
from dispatcher.web.body import BodyLimits
from dispatcher.web.rates import Rates


def test_the_configured_defaults_are_those_of_the_parts() -> None:
    settings = Settings()
    assert options.store_options(settings) == StoreOptions()
    assert options.dispatch_options(settings) == DispatchOptions()
    assert options.native_options(settings) == NativeOptions()
    assert options.rates(settings) == Rates()
    assert options.jobs_options(settings) == JobsOptions()
    assert options.farm_options(settings) == FarmOptions()
    assert options.farm_socket_limits(settings) == FarmSocketLimits()
    assert options.cloudai_options(settings) == CloudAIOptions()
    assert options.launch_options(settings) == LaunchOptions()
    assert settings.server.max_body == BodyLimits().max_bytes


def test_servers_reach_a_gateway_by_its_public_url_or_its_own_address() -> None:
    def url(**server: object) -> str:
        return options.public_url(Settings.model_validate({"server": server}))

    assert url() == "http://127.0.0.1:8787"
    assert url(host="::", port=1) == "http://[::1]:1"
    assert url(host="10.0.0.1", public_url="https://gw.example.com") == "https://gw.example.com"
    callback = options.callback_url(Settings.model_validate({"server": {"public_url": "https://gw.example.com/"}}))
    assert callback == "https://gw.example.com/api/task/{id}"


@pytest.mark.parametrize(
    ("server", "lost"),
    [
        ({"host": "0.0.0.0"}, True),  # noqa: S104
        ({"host": "::"}, True),
        ({"host": ""}, True),
        ({"host": "0:0:0:0:0:0:0:0"}, True),
        ({"host": "0.0.0.0", "public_url": "http://gw:8787"}, False),  # noqa: S104
        ({"host": "10.0.0.1"}, False),
        ({"host": "gateway.internal"}, False),
        ({}, False),
    ],
)
def test_an_address_for_all_says_nothing_about_how_servers_reach_it(server: dict[str, str], lost: bool) -> None:
    problems = options.callback_problems(Settings.model_validate({"server": server}))
    assert [problem.startswith("server.public_url: needed") for problem in problems] == [True] * lost


@pytest.mark.parametrize(("lease", "gap_ms"), [("2s", 3_000), ("6s", 3_000), ("15s", 7_500)])
def test_a_late_tick_is_not_a_gap_however_short_the_lease(lease: str, gap_ms: int) -> None:
    settings = Settings.model_validate({"dispatch": {"lease": lease}})
    assert options.store_options(settings).reap_gap_ms == gap_ms


def test_doors_that_stand_open_to_the_network_are_found() -> None:
    def doors(**sections: Any) -> int:
        return len(open_doors(Settings.model_validate(sections)))

    assert doors() == 0
    assert doors(jobs={"auth": "none"}) == 0
    assert doors(jobs={"auth": "none"}, server={"host": "::"}) == 1
    assert doors(farm={"auth": "none"}, server={"host": "::"}) == 1
    assert doors(cloudai={"auth": "none"}, server={"host": "::"}) == 1
    listener = {"dialect": "jobs", "auth": "none"}
    assert doors(listeners=[{**listener, "host": "::1"}, {**listener, "host": "localhost", "port": 1}]) == 0
    assert doors(listeners=[{**listener, "host": "10.0.0.1"}, {**listener, "host": "::", "port": 1}]) == 2


def test_the_native_api_cannot_be_opened() -> None:
    with pytest.raises(ValueError, match="native"):
        Settings.model_validate({"listeners": [{"dialect": "native", "auth": "none"}]})
