"""Does the store keep what it was told? Asked once, before a production gateway takes its first task."""

from collections.abc import Mapping

EVERYSEC_MS = 2_000  # Redis documents up to 2 s of loss for `appendfsync everysec`


def durability_problems(facts: Mapping[str, str], *, loss_window_ms: int, asserted: bool) -> list[str]:
    """Why a store with these `appendonly`, `appendfsync` and `maxmemory-policy` must not be used; empty when it may.

    `loss_window_ms` is what its owner accepts to lose in a crash, `asserted` that he vouches for what it hides.
    """
    if asserted:
        return []
    if "appendonly" not in facts:
        return ["the store does not tell whether it is durable; if you know, set [store] durability_asserted = true"]
    problems = []
    if facts["appendonly"] != "yes":
        problems.append("the store has appendonly no: an acknowledged task would not survive a restart")
    fsync = facts.get("appendfsync", "")
    if fsync == "everysec" and loss_window_ms < EVERYSEC_MS:
        problems.append(
            'the store has appendfsync everysec: use always, or accept the loss with [store] loss_window = "2s"'
        )
    elif fsync not in ("always", "everysec"):
        problems.append(f"the store has appendfsync {fsync or 'unknown'}: use always")
    if (policy := facts.get("maxmemory-policy", "")) != "noeviction":
        problems.append(f"the store has maxmemory-policy {policy or 'unknown'}: it may drop tasks; use noeviction")
    return problems
