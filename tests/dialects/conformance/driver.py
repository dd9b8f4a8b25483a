"""What every dialect and transport is asked to do, whatever it calls it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tests.dialects.world import GatewayWorld

Refusal = int | str  # a status, or the code in a message
ACCEPTED: Refusal = "accepted"


@dataclass(frozen=True)
class Expected:
    """What a document says. The first five are its words for a state, `late` to `stopped` its refusals of a report."""

    waiting: str
    running: str
    completed: str
    failed: str
    cancelled: str

    submitted: int
    late: Refusal  # a newer attempt, by another worker, has the task
    foreign: Refusal  # of a worker that never had the task
    other_end: Refusal  # completed already, and now failed
    stopped: Refusal  # cancelled while it ran
    cancelled_again: int
    cancel_running: int = 200
    lease_ms: int = 30_000


@dataclass
class Held:
    """A task as a worker was given it; `token` is what it reports with, where there is such a thing."""

    task_id: str
    attempt: int
    token: str = ""


class Worker(ABC):
    @abstractmethod
    async def take(self) -> Held | None:
        """The next task; None when there is none for it."""

    @abstractmethod
    async def end(self, held: Held, how: str) -> Refusal:
        """Report `completed` or `failed`; ACCEPTED or why not."""

    @abstractmethod
    async def is_stopped(self, held: Held) -> bool:
        """True when it was told, or learns when it asks, that nobody wants the task any more."""

    async def beat(self) -> None:
        """Show that it is there, without any task."""
        return

    async def die(self) -> None:
        """Never to be heard of again, but for a late word."""
        return


class Driver(ABC):
    """One dialect over one transport. `absent` are scenarios that its document has no words for, with the reason."""

    name: ClassVar[str]
    expected: ClassVar[Expected]
    absent: ClassVar[Mapping[str, str]] = {}
    bad_bodies: ClassVar[Sequence[object]]

    def __init__(self, world: GatewayWorld) -> None:
        self.world = world

    @abstractmethod
    async def submit(self, caller: str | None = "a", *, key: str = "", body: object = None) -> tuple[int, str]:
        """Status and id ("" without one) of a new task; `body` instead of a good one."""

    @abstractmethod
    async def see(self, task_id: str, caller: str | None = "a") -> tuple[int, str]:
        """Status and the word for its state."""

    @abstractmethod
    async def cancel(self, task_id: str, caller: str = "a") -> int: ...

    @abstractmethod
    async def retry(self, task_id: str, caller: str = "a") -> int: ...

    @abstractmethod
    async def page(self, number: int, size: int, caller: str = "a") -> tuple[list[str], int]:
        """Ids of one page, from 0 on, and how many there are in all."""

    @abstractmethod
    async def worker(self, name: str) -> Worker: ...

    @abstractmethod
    async def work_as(self, caller: str | None) -> Refusal:
        """What a caller is told who asks for work with a token that is not a worker's."""

    @abstractmethod
    def another_body(self) -> object:
        """A good body, but not the one that `submit` sends."""

    async def given(self, name: str = "w1") -> tuple[Worker, Held]:
        """A new task that a new worker has."""
        _, task_id = await self.submit()
        worker = await self.worker(name)
        held = await worker.take()
        assert held is not None
        assert held.task_id == task_id
        return worker, held

    async def later(self, ms: int, *alive: Worker) -> None:
        """Time passes; those who live show it."""
        for _ in range(0, ms, 5_000):
            await self.world.later(5_000)
            for worker in alive:
                await worker.beat()
