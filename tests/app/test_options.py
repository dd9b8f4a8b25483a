"""Defaults of the configuration are the defaults of the parts."""

from dispatcher.app import options
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
    assert options.launch_options(settings) == LaunchOptions()
    assert settings.server.max_body == BodyLimits().max_bytes


def test_servers_reach_a_gateway_by_its_public_url_or_its_own_address() -> None:
    def url(**server: object) -> str:
        return options.public_url(Settings.model_validate({"server": server}))

    assert url() == "http://127.0.0.1:8787"
    assert url(host="::", port=1) == "http://[::1]:1"
    assert url(host="10.0.0.1", public_url="https://gw.example.com") == "https://gw.example.com"
