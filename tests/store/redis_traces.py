"""What a Redis store must not leave behind, read from its keys: slots without a timer, timers of what is over."""

from redis.asyncio import Redis


async def loose_ends(client: Redis, namespace: str) -> list[str]:
    """Slots, held amounts and waiting workers that nothing would ever take away."""
    root = f"{{{namespace}}}:"
    due = {name.decode(): ends for name, ends in await client.zrange(f"{root}due", 0, -1, withscores=True)}
    found, timed = [], set()
    for name in [raw.decode() for raw in await client.zrange(f"{root}servers", 0, -1)]:
        slots = {raw.decode(): ends for raw, ends in await client.zrange(f"{root}slots:{name}", 0, -1, withscores=True)}
        for member, ends in slots.items():
            task, fence, rank = member.split(":")
            own = f"l:{task}" if rank == "0" else f"k:{name}:{member}"
            current = await client.hget(f"{root}t:{task}", "fence") == fence.encode()
            timers = {f"o:{name}:{member}", *([own] if current or rank != "0" else [])} & due.keys()
            timed |= timers
            if ends not in {due[timer] for timer in timers}:
                found.append(f"slot {member} of {name} until {ends} has {sorted(timers)}")
        held = {raw.decode() for raw in await client.hkeys(f"{root}held:{name}")}
        found += [f"{name} holds for {member}" for member in held - slots.keys() if not member.startswith("m:")]
        accepted = {raw.decode() for raw in await client.hkeys(f"{root}acc:{name}")}
        found += [f"{name} accepted {member}" for member in accepted - slots.keys()]
    found += [f"timer {timer}" for timer in due if timer[:2] in ("l:", "k:", "o:") and timer not in timed]
    for timer in due:
        if timer.startswith("n:") and await client.hexists(f"{root}t:{timer[2:]}", "ended"):
            found.append(f"timer {timer} of a task that has ended")
    async for key in client.scan_iter(f"{root}want:*", count=1_000):
        for raw in await client.zrange(key, 0, -1):
            if not await client.hexists(f"{root}s:{raw.decode()}", "session"):
                found.append(f"{raw.decode()} waits without a connection")
    return found
