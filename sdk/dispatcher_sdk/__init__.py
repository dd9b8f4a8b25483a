"""Client and backend adapter for the edge dispatcher.

from dispatcher_sdk import Dispatcher

result = Dispatcher().run("video-processing", {"video_url": "https://example.com/video.mp4"})
"""

from dispatcher_sdk._binding import AsyncPager, Pager
from dispatcher_sdk.async_client import AsyncDispatcher
from dispatcher_sdk.backend import Backend, Context, InvalidInput
from dispatcher_sdk.client import Dispatcher
from dispatcher_sdk.errors import (
    BadRequest,
    Conflict,
    ConnectionFailed,
    DispatcherError,
    Forbidden,
    InvalidAnswer,
    NotFound,
    RateLimited,
    RequestTimeout,
    ServerError,
    StatusError,
    TaskCancelled,
    TaskError,
    TaskFailed,
    TaskTimeout,
    Unauthorized,
    Unprocessable,
)
from dispatcher_sdk.models import (
    AlgorithmAck,
    Hour,
    HourlyReport,
    HourlyTasks,
    LoadBalancerStatus,
    Page,
    Server,
    ServerAck,
    ServerFigures,
    ServerLoad,
    ServerMetrics,
    ServerStats,
    Task,
    TaskAck,
    TaskStats,
    TopServer,
)

__all__ = [
    "AlgorithmAck",
    "AsyncDispatcher",
    "AsyncPager",
    "Backend",
    "BadRequest",
    "Conflict",
    "ConnectionFailed",
    "Context",
    "Dispatcher",
    "DispatcherError",
    "Forbidden",
    "Hour",
    "HourlyReport",
    "HourlyTasks",
    "InvalidAnswer",
    "InvalidInput",
    "LoadBalancerStatus",
    "NotFound",
    "Page",
    "Pager",
    "RateLimited",
    "RequestTimeout",
    "Server",
    "ServerAck",
    "ServerError",
    "ServerFigures",
    "ServerLoad",
    "ServerMetrics",
    "ServerStats",
    "StatusError",
    "Task",
    "TaskAck",
    "TaskCancelled",
    "TaskError",
    "TaskFailed",
    "TaskStats",
    "TaskTimeout",
    "TopServer",
    "Unauthorized",
    "Unprocessable",
]
