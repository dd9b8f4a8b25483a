"""The fleet's stream, for the sockets of this gateway."""

from dispatcher.service.ports import Coordination
from dispatcher.service.watch import Watch


class Events:
    def __init__(self, coordination: Coordination, watch: Watch) -> None:
        self._coordination = coordination
        self._watch = watch

    async def run_once(self) -> None:
        """Hand on events until cancelled, or until the stream fails: then every watcher has to look for itself."""
        try:
            async for event in self._coordination.events():
                self._watch.publish(event)
        finally:
            self._watch.interrupted()
