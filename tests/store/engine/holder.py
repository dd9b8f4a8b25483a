"""Run as a program: opens an engine on a directory, writes a counter, says so, and waits to be killed."""

import asyncio
import sys
from pathlib import Path

from dispatcher.store.engine import open_engine


async def hold(directory: str, engine: str) -> None:
    async with open_engine(Path(directory), [engine]) as opened:
        client = opened.client()
        await client.incr("runs")
        info = await client.info("server")
        print(info["process_id"], flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(hold(sys.argv[1], sys.argv[2]))
