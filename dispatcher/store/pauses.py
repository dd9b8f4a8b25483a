"""Holding tasks back, in Redis."""

from dispatcher.domain.errors import NoControl
from dispatcher.domain.principal import Owner
from dispatcher.store import codec
from dispatcher.store.reads import TaskReads
from dispatcher.store.refusals import refuse_owned


class TaskPauses(TaskReads):
    """Pause and resume."""

    async def pause(self, task_id: str, *, origin: str, owner: Owner | None, reason: str = "") -> None:
        reply = await self._run.call("pause_task", task_id=task_id, origin=origin, **codec.who(owner), reason=reason)
        refuse_owned(reply, task_id, "paused")
        if reply.tag == "no_control":
            raise NoControl("The task runs on a worker that cannot be told to pause it")

    async def resume(self, task_id: str, *, origin: str, owner: Owner | None, reason: str = "") -> None:
        reply = await self._run.call("resume_task", task_id=task_id, origin=origin, **codec.who(owner), reason=reason)
        refuse_owned(reply, task_id, "resumed")
