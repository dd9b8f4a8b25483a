"""A Redis or Valkey server as a child process that saves every write and never outlives its parent.

It listens on a unix socket of mode 700 only. A shell keeps watch on a pipe whose other end this process holds: when
we are killed without notice the kernel closes the pipe, and the shell stops the server. Both live in sessions of
their own, because Ctrl-C reaches a whole process group and the state must outlast the drain.
"""

import asyncio
import contextlib
import os
import socket
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from dispatcher.store.engine.engine import Engine, EngineError

MAX_SOCKET_PATH = 100  # bytes; kernels take 104 to 108
START_S = 60.0  # loading a large append-only file takes its time
STOP_S = 10.0
LOOK_S = 0.1  # between two looks at whether the server lives
DEATHS, DEATHS_WITHIN_S = 3, 60.0
KEEPER = 'read -r _; kill "$1"'  # `read` returns at the end of the pipe


@contextlib.asynccontextmanager
async def spawned_engine(binary: Path, directory: Path) -> AsyncIterator[Engine]:
    """Run `binary` on the data below `directory` (made with mode 700). Raises EngineError when it will not start."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    await _end_orphan(directory)
    with _socket_for(directory) as path, contextlib.closing(_Server(binary, directory, path)) as server:
        version = await server.start()
        yield Engine(
            name=f"{version} ({binary.name}, every write saved in {directory})",
            url=f"unix://{path}",
            durable=True,
            client=lambda: _client(path),
            watch=server.watch,
        )


class _Server:
    """One process after another on the same data and socket, each with its keeper."""

    def __init__(self, binary: Path, directory: Path, path: Path) -> None:
        self._command = _arguments(binary, directory, path)
        self._path = path
        self._log = directory / "redis.log"
        self._children = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> str:
        """Start a process; answers its brand and version. Raises EngineError."""
        self.close()
        self._process = self._children.enter_context(_child(self._command))
        keeper = ["sh", "-c", KEEPER, "dispatcher-keeper", str(self._process.pid)]
        self._children.enter_context(_child(keeper, stdin=subprocess.PIPE))
        return await _until_ready(self._process, self._path, self._log)

    def close(self) -> None:
        """End the process and its keeper."""
        self._children.close()

    async def watch(self, died: Callable[[str], None]) -> None:
        """See `Engine.watch`. Gives up at the third death within a minute."""
        deaths: deque[float] = deque(maxlen=DEATHS)
        while True:
            while self._process is not None and self._process.poll() is None:  # noqa: ASYNC110 - portably, the end
                await asyncio.sleep(LOOK_S)  # of a process is nothing to wait on
            deaths.append(time.monotonic())
            if len(deaths) == DEATHS and deaths[-1] - deaths[0] < DEATHS_WITHIN_S:
                raise EngineError(f"the state engine died {DEATHS} times within a minute; its last words: {self._log}")
            died("the state engine died; it is started again on the same data")
            with contextlib.suppress(EngineError):  # it died while starting: one more death
                await self.start()


def _arguments(binary: Path, directory: Path, path: Path) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(directory),
        "appendonly": "yes",
        "appendfsync": "always",
        "aof-use-rdb-preamble": "no",  # plain commands: the next start may find the other brand, or an older version
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "logfile": str(directory / "redis.log"),
        "loglevel": "warning",
    }
    return [str(binary), *(part for key, value in options.items() for part in (f"--{key}", value))]


@contextlib.contextmanager
def _socket_for(directory: Path) -> Iterator[Path]:
    """The path to listen on: in the directory, or in a temporary one where that path is too long for a socket.

    It is noted in the directory, so that a server whose parent was killed can be found.
    """
    with contextlib.ExitStack() as stack:
        path = directory / "redis.sock"
        if len(os.fsencode(path)) > MAX_SOCKET_PATH:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dispatcher-"))) / "redis.sock"
        (directory / "socket").write_text(str(path))
        yield path


@contextlib.contextmanager
def _child(arguments: Sequence[str], stdin: int = subprocess.DEVNULL) -> Iterator[subprocess.Popen[bytes]]:
    """A child process in a session of its own, ended on the way out.

    Ending it blocks (some 0.1 s): a wait in the event loop could itself be cancelled and leave the child behind.
    """
    child = subprocess.Popen(
        arguments, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdin is not None:
            child.stdin.close()


async def _until_ready(server: subprocess.Popen[bytes], path: Path, log: Path) -> str:
    """Wait until the server has loaded its data and answers; tell its brand and version."""
    deadline = time.monotonic() + START_S
    async with _client(path) as client:
        while server.poll() is None and time.monotonic() < deadline:
            try:
                await client.ping()
                info = await client.info("server")
            except (RedisError, OSError):
                await asyncio.sleep(0.01)
                continue
            if "valkey_version" in info:
                return f"Valkey {info['valkey_version']}"
            return f"Redis {info['redis_version']}"
    last_words = log.read_text(errors="replace").splitlines()[-2:] if log.exists() else []
    raise EngineError("it did not start: " + (" / ".join(last_words) or f"exit code {server.poll()}"))


async def _end_orphan(directory: Path) -> None:
    """Stop a server that was left on this data: two of them would write over each other."""
    note = directory / "socket"
    deadline = time.monotonic() + STOP_S
    while note.exists() and _listens(note.read_text()):
        if time.monotonic() > deadline:
            raise EngineError(f"a server left on {directory} does not stop")
        with contextlib.suppress(RedisError, OSError):
            async with _client(note.read_text()) as client:
                await client.shutdown(nosave=True)
        await asyncio.sleep(0.02)


def _client(path: str | Path) -> Redis:
    """A client that reports a lost connection at once: whoever uses it knows what may be repeated."""
    return Redis(unix_socket_path=str(path), retry=Retry(NoBackoff(), 0))


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True
