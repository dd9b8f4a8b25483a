"""The client of Redis on a server that closes its connections."""

import asyncio

from dispatcher.store.connection import connect


async def test_connections_that_the_server_has_closed_are_replaced_before_they_are_used(
    servers: dict[str, str],
) -> None:
    """As after its restart: a gateway has one for each call that ever ran at once."""
    client, other = connect(servers["wheel"]), connect(servers["wheel"])
    mine = set(await asyncio.gather(*(client.client_id() for _ in range(16))))
    assert len(mine) > 1
    for one in mine:
        assert await other.client_kill_filter(_id=str(one)) == 1
    assert await asyncio.gather(*(client.get("no such key") for _ in range(16))) == [None] * 16
    await client.aclose()
    await other.aclose()
