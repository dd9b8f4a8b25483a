"""The WebSockets of the native API, as they are documented."""

from dispatcher.dialects.native.log_operations import AFTER
from dispatcher.dialects.native.log_operations import TAG as LOGS
from dispatcher.dialects.native.log_socket import LOG_PATH
from dispatcher.dialects.native.server_operations import TAG as SERVERS
from dispatcher.dialects.native.socket import SocketLimits
from dispatcher.dialects.native.task_operations import TAG as TASKS
from dispatcher.dialects.native.worker_socket import WORKER_PATH, WorkerSocketLimits
from dispatcher.dialects.socket_operation import SocketOperation

_SIGN_IN = (
    "The token comes in the `Authorization` header, as subprotocols `bearer, <token>`, or in a first message `auth`, "
    "within {sign_in_s:g} s. "
)
_SIGNING_IN = {"auth": "{token}: first, where the handshake brought no token"}
_SIGNED_IN = {"ready": "the answer to `auth`"}
_ATTEMPT = "taskId, attempt"
_ERROR = "{error, details, code, requestId, field}: what was wrong with a message; the socket goes on"
_CLOSES = {
    1003: "a binary message",
    1007: "text that is not UTF-8; the ASGI server may drop the connection first, without a code",
    1011: "a fault of the gateway",
    1013: "you read too slowly, or the gateway cannot serve you now: connect again",
    4401: "no good token, or it has expired",
}


def socket_operations(tasks: SocketLimits, workers: WorkerSocketLimits, stall_ms: int) -> list[SocketOperation]:
    return [_of_tasks(tasks), _of_logs(tasks, stall_ms), _of_workers(workers)]


def _of_tasks(limits: SocketLimits) -> SocketOperation:
    return SocketOperation(
        "watchTasks",
        "/ws",
        TASKS,
        "Live updates",
        about=_SIGN_IN.format(sign_in_s=limits.sign_in_s) + "Messages are JSON objects with a `type`.",
        says={
            **_SIGNING_IN,
            "subscribe": "{taskId, rev}: with the `rev` last seen what came after it is sent, without it a snapshot",
            "unsubscribe": "{taskId}",
            "ping": "",
        },
        hears={
            **_SIGNED_IN,
            "subscribed": "{taskId}",
            "unsubscribed": "{taskId}",
            "task.update": "{task, rev, reset}: with `reset` some updates were lost, and this is a snapshot",
            "pong": "",
            "error": _ERROR,
        },
        closes={
            **_CLOSES,
            1008: f"more than {limits.messages_per_second} messages a second, or {limits.sockets} sockets of one owner",
            1009: f"a message over {limits.max_message} bytes",
        },
    )


def _of_logs(limits: SocketLimits, stall_ms: int) -> SocketOperation:
    return SocketOperation(
        "followLogOverASocket",
        LOG_PATH,
        LOGS,
        "Follow (WebSocket)",
        about=_SIGN_IN.format(sign_in_s=limits.sign_in_s)
        + "First the lines that are there after number `after`, then each as it comes. Messages are JSON objects with "
        "a `type`.",
        says={**_SIGNING_IN, "ping": ""},
        hears={
            **_SIGNED_IN,
            "line": "{seq, at, attempt, stream, text, rank}: as the log is read by pages; resume with `after` = `seq`",
            "end": "{status}: the task has ended, and all its lines were sent",
            "pong": "",
            "error": "{error, details, code, requestId, field}: what was wrong with a message, or before the socket is "
            "closed why there are no more lines",
        },
        closes={
            1000: "after `end`",
            **_CLOSES,
            1008: f"more than {limits.messages_per_second} messages a second, or {limits.sockets} sockets of one owner",
            1009: f"a message over {limits.max_message} bytes",
            1013: f"you took nothing for {stall_ms / 1000:g} s, or the gateway stops or cannot serve you now: connect "
            "again and resume",
            4400: "`after` is no number of a line",
            4404: "there is no such task, or it was deleted",
        },
        parameters=(AFTER,),
    )


def _of_workers(limits: WorkerSocketLimits) -> SocketOperation:
    return SocketOperation(
        "workDownASocket",
        WORKER_PATH,
        SERVERS,
        "Work down a socket",
        about=_SIGN_IN.format(sign_in_s=limits.sign_in_s)
        + "For: role admin, the server itself, registered with transport `socket`. Messages are JSON objects with a "
        "`type`; with `?bootId=`, as in heartbeats, a socket is not `replaced` by another one of the same start. Each "
        "task is the server's for `leaseMs`, counted anew with each heartbeat and progress.",
        says={
            **_SIGNING_IN,
            "hello": "{kinds, resources, maxConcurrent, commands, loadable}: what the machine has, which commands it "
            "obeys, and which models it can load",
            "ready": "{slots}: room for so many tasks more",
            "heartbeat": "{status, activeTasks, metrics, bootId, running, models}: every `heartbeatMs`",
            "progress": f"{{{_ATTEMPT}, progress, metrics, checkpoint}}",
            "result": f"{{{_ATTEMPT}, status, ...}}: as an end in `PUT /api/task/{{id}}`; answered by `ack`",
            "release": f"{{{_ATTEMPT}, declined}}: hand a task back, nothing counted; with `declined`, why this server "
            "may not or cannot run it, it goes to others only; answered by `ack`",
            "commandAck": "{id}: the command has come",
            "commandDone": "{id, detail}: it is done; answered by `commandRecorded`",
            "commandFailed": "{id, error}: it failed; answered by `commandRecorded`",
            "ping": "",
        },
        hears={
            **_SIGNED_IN,
            "welcome": "{serverId, heartbeatMs, leaseMs, maxMessage}: tell of a failure instead of a `result` in a "
            "message over `maxMessage` bytes",
            "task": "{task}: as a claim answers, once for each slot",
            "control": f"{{action: pause, resume or stop, {_ATTEMPT}, reason}}",
            "ack": f"{{{_ATTEMPT}, accepted, code}}: with `accepted` false do not send it again",
            "command": "{id, verb, args}",
            "commandRecorded": "{id}",
            "pong": "{serverToken}: a fresh token, when yours ends soon",
            "error": _ERROR + "; with `taskId` and `attempt` where it named them, with `about`: hello for that one",
        },
        closes={
            **_CLOSES,
            1008: f"`replaced` by a newer socket of this server, which is of another start; more than "
            f"{limits.messages_per_second} messages a second, or {limits.sockets} sockets of one owner; its reports of "
            "this minute were spent on opening",
            1009: f"a result in a message over {limits.largest} bytes, or any other message over {limits.max_message}; "
            "the ASGI server may drop the connection over one of 16 MiB, without a code",
            1012: "the gateway stops, or a newer socket with the same `bootId` has come: connect again",
            4400: "the server is not registered with transport `socket`, or `bootId` is not 1 to 64 letters, "
            "digits, - and _",
            4403: "the token is not for this server",
            4404: "there is no such server, or it was unregistered",
            4408: f"nothing heard for {limits.beats_missed} heartbeats",
        },
    )
