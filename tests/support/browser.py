"""A real headless Chromium, spoken to in the Chrome DevTools Protocol."""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--remote-debugging-port=0",
)  # fmt: skip
START_S = 30.0
ANSWER_S = 20.0


def binary() -> str | None:
    """Where Chromium is, or None. In CI it must be there."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None and os.environ.get("CI"):
        raise RuntimeError("no Chromium on the PATH (.ci/run installs it)")
    return found


@contextlib.contextmanager
def running(program: str) -> Iterator[str]:
    """A fresh browser with a profile of its own; yields the URL of its debugging socket."""
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": profile},
        )
        try:
            port, path = _address(Path(profile) / "DevToolsActivePort", process)
            yield f"ws://127.0.0.1:{port}{path}"
        finally:
            process.terminate()
            process.wait(10)


def _address(file: Path, process: "subprocess.Popen[bytes]") -> tuple[str, str]:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) == 2:
            return lines[0], lines[1]
        if process.poll() is not None:
            raise RuntimeError(f"the browser ended with {process.returncode}")
        time.sleep(0.02)  # a real process: it tells of itself in a file only
    raise RuntimeError("the browser did not start")


class Page:
    """One tab, without anything of other tabs: what it asked for, what it complained of, what it shows."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._session = ""
        self._last = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.requests: list[str] = []  # URLs
        self.complaints: list[str] = []  # exceptions, refusals of the content security policy, errors
        self.replace: Callable[[str], bytes | None] = lambda url: None  # a body to answer an intercepted URL with

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol; raises RuntimeError with what the browser objects to."""
        self._last += 1
        answer = self._answers[self._last] = asyncio.get_running_loop().create_future()
        message = {"id": self._last, "method": method, "params": parameters}
        await self._socket.send(json.dumps(message | ({"sessionId": self._session} if self._session else {})))
        async with asyncio.timeout(ANSWER_S):
            return await answer

    async def read(self) -> None:
        """Take in answers and events until the socket closes."""
        async for text in self._socket:
            message = json.loads(text)
            if "id" in message:
                self._settle(self._answers.pop(message["id"], None), message)
            elif message["method"] == "Fetch.requestPaused":
                await self._intercepted(message["params"])
            else:
                self._event(message["method"], message["params"])

    def _settle(self, answer: "asyncio.Future[dict[str, Any]] | None", message: dict[str, Any]) -> None:
        if answer is None or answer.done():
            return
        if "error" in message:
            answer.set_exception(RuntimeError(message["error"]["message"]))
        else:
            answer.set_result(message["result"])

    def _event(self, method: str, parameters: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(parameters["exceptionDetails"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.complaints.append(parameters["entry"]["text"])

    async def _intercepted(self, parameters: dict[str, Any]) -> None:
        body = self.replace(parameters["request"]["url"])
        request = parameters["requestId"]
        if body is None:
            command, more = "Fetch.continueRequest", {}
        else:
            command, more = "Fetch.fulfillRequest", {"responseCode": 200, "body": base64.b64encode(body).decode()}
        message = {"id": 0, "sessionId": self._session, "method": command, "params": {"requestId": request, **more}}
        await self._socket.send(json.dumps(message))

    async def attach(self) -> None:
        """Become a new tab in a browser context of its own."""
        context = (await self.call("Target.createBrowserContext", disposeOnDetach=True))["browserContextId"]
        tab = await self.call("Target.createTarget", url="about:blank", browserContextId=context)
        self._session = (await self.call("Target.attachToTarget", targetId=tab["targetId"], flatten=True))["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            await self.call(f"{domain}.enable")

    async def look(self, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Take a window size (CSS pixels) and a colour scheme."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def open(self, url: str, *, ready: str = "document.readyState === 'complete'") -> None:
        """Go there and wait until an expression holds."""
        answer = await self.call("Page.navigate", url=url)
        if "errorText" in answer:
            raise RuntimeError(f"{url}: {answer['errorText']}")
        await self.until(ready)

    async def js(self, expression: str) -> Any:
        """The value of an expression, awaited when it is a promise. Raises RuntimeError when it throws."""
        answer = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        until = time.monotonic() + ANSWER_S
        while time.monotonic() < until:
            with contextlib.suppress(RuntimeError):  # the page may be just about to be replaced
                if await self.js(f"new Promise(done => setTimeout(() => done(Boolean({expression})), 10))"):
                    return
        raise AssertionError(f"never true: {expression}")

    async def type(self, selector: str, text: str) -> None:
        """Replace what a field holds, with a keyboard's own events."""
        await self.js(f"document.querySelector({json.dumps(selector)}).select()")
        await self.call("Input.insertText", text=text)


@contextlib.asynccontextmanager
async def page(debugging_url: str) -> AsyncIterator[Page]:
    """A fresh tab; nothing of it stays."""
    async with connect(debugging_url, max_size=None) as socket:
        tab = Page(socket)
        reading = asyncio.create_task(tab.read())
        try:
            await tab.attach()
            yield tab
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
