from dispatcher.domain.clock import ManualClock
from dispatcher.domain.errors import Unavailable
from dispatcher.store.memory import MemoryStore
from dispatcher.web.health import Health


class Flaky:
    """The store's coordination, which can be cut off."""

    def __init__(self, clock: ManualClock) -> None:
        self._real = MemoryStore(clock).coordination
        self.down = False
        self.pings = 0

    async def ping(self) -> None:
        self.pings += 1
        if self.down:
            raise Unavailable("The store is out of reach")

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


async def test_health_tells_of_the_store_and_asks_it_once_a_second() -> None:
    clock = ManualClock()
    store = Flaky(clock)
    health = Health(store, clock, gateway="gw_1", version="1.2")  # type: ignore[arg-type]
    status, report = await health.report()
    assert (status, report["status"], report["store"], report["version"]) == (200, "ok", "ok", "1.2")
    assert report["durability"]
    store.down = True
    assert (await health.report())[0] == 200
    assert store.pings == 1
    clock.advance(1000)
    status, report = await health.report()
    assert (status, report["status"], report["store"], report["durability"]) == (503, "unavailable", "unreachable", {})
    assert not await health.ready()
    store.down = False
    clock.advance(1000)
    assert await health.ready()
    assert (await health.report())[1]["durability"]


async def test_a_draining_gateway_is_healthy_but_not_ready() -> None:
    clock = ManualClock()
    health = Health(MemoryStore(clock).coordination, clock, gateway="g", version="1", draining=lambda: True)
    status, report = await health.report()
    assert (status, report["status"], report["draining"]) == (200, "draining", True)
    assert not await health.ready()
