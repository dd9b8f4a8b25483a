"""All that dialects and the web layer are given."""

from dataclasses import dataclass

from dispatcher.service.balancing import Balancing
from dispatcher.service.batches import Batches
from dispatcher.service.commands import Commands
from dispatcher.service.feed import Feed
from dispatcher.service.files import Files
from dispatcher.service.logs import Logs
from dispatcher.service.operations import Operations
from dispatcher.service.placements import Placements
from dispatcher.service.ports import Coordination
from dispatcher.service.servers import Servers
from dispatcher.service.sessions import Sessions
from dispatcher.service.stats import Stats
from dispatcher.service.submit import Submit
from dispatcher.service.tasks import Tasks
from dispatcher.service.telemetry import Telemetry
from dispatcher.service.watch import Watch
from dispatcher.service.workers import Workers


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases, put together by the composition root. Nothing else reaches a dialect."""

    submit: Submit
    batches: Batches
    tasks: Tasks
    logs: Logs
    files: Files
    servers: Servers
    stats: Stats
    balancing: Balancing
    watch: Watch
    feed: Feed
    workers: Workers
    sessions: Sessions
    telemetry: Telemetry
    commands: Commands
    operations: Operations
    placements: Placements
    coordination: Coordination
