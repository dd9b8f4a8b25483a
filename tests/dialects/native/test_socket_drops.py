"""A thousand broken connections: every update is seen exactly once, in order."""

import random

from dispatcher.domain.reporter import ByAttempt
from tests.dialects.native.sockets import connect, events
from tests.dialects.native.world import World

DROPS = 1000


async def test_every_update_exactly_once_over_a_thousand_drops(world: World) -> None:
    rng = random.Random(11)
    await world.register()
    task_id = await world.create()
    grant = world.backend.grants[task_id]
    by = ByAttempt(grant.fence, grant.nonce)
    started = (await world.store.tasks.get(task_id))[0]
    assert started is not None
    base = started.rev
    seen: list[int] = []
    changes = 0

    async def change(times: int) -> None:
        nonlocal changes
        for _ in range(times):
            changes += 1
            await world.store.tasks.progress(task_id, by, changes / 100)

    async with events(world):
        for _ in range(DROPS):
            await change(rng.randrange(3))  # while nobody is connected
            socket = connect(world)
            await socket.accepted()
            socket.send({"type": "subscribe", "taskId": task_id, **({"rev": seen[-1]} if seen else {})})
            await change(rng.randrange(2))  # while the snapshot is on its way
            assert (await socket.recv())["type"] == "subscribed"
            await change(rng.randrange(3))
            unseen = base + changes - seen[-1] if seen else 1
            for _ in range(rng.randint(0, unseen)):
                message = await socket.recv()
                assert "reset" not in message
                seen.append(message["rev"])
            await change(rng.randrange(2))  # sent, but lost with the connection
            await socket.drop()
        await world.report(task_id, status="COMPLETED", result=1)
        final = (await world.store.tasks.get(task_id))[0]
        assert final is not None
        socket = connect(world)
        await socket.accepted()
        socket.send({"type": "subscribe", "taskId": task_id, "rev": seen[-1]})
        await socket.recv()
        while seen[-1] < final.rev:
            message = await socket.recv()
            assert "reset" not in message
            seen.append(message["rev"])
        await socket.drop()
    assert changes > DROPS
    assert seen == list(range(seen[0], final.rev + 1))
    assert message["task"]["result"] == 1
