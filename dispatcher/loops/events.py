"""The fleet's stream, for the sockets and waiting claims of this gateway."""

from dispatcher.service.commands import Commands
from dispatcher.service.feed import Feed
from dispatcher.service.ports import Coordination
from dispatcher.service.sessions import Sessions
from dispatcher.service.watch import Watch
from dispatcher.service.workers import Workers


class Events:
    def __init__(
        self,
        coordination: Coordination,
        watch: Watch,
        workers: Workers,
        sessions: Sessions,
        commands: Commands,
        feed: Feed,
    ) -> None:
        self._coordination = coordination
        self._watch = watch
        self._workers = workers
        self._sessions = sessions
        self._commands = commands
        self._feed = feed

    async def run_once(self) -> None:
        """Hand on events until cancelled, or until the stream fails: then all have to look for themselves."""
        try:
            async for event in self._coordination.events():
                self._watch.publish(event)
                self._workers.publish(event)
                self._sessions.publish(event)
                self._commands.publish(event)
                self._feed.publish(event)
        finally:
            self._watch.interrupted()
            self._sessions.interrupted()
