"""The programs in the SDK's README and in the tutorial, run as they stand there."""

import asyncio
import importlib.util
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dispatcher_sdk import AsyncDispatcher, InvalidInput, TaskFailed
from tests.sdk.backend.fake_gateway import FakeGateway, fake_gateway, serving

ROOT = Path(__file__).parents[2]
README = (ROOT / "sdk/README.md").read_text()
TUTORIAL = ROOT / "docs/tutorial"


def programs(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


RUN, STEPS, BACKEND = programs(README)[:3]  # what follows is tested in `farm`


async def python(program: str, gateway: FakeGateway) -> asyncio.subprocess.Process:
    settings = {
        **os.environ,
        "DISPATCHER_URL": gateway.url,
        "DISPATCHER_TOKEN": "token",
        "PYTHONPATH": str(ROOT / "sdk"),
    }
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(sys.executable, "-c", program, env=settings, stdout=pipe, stderr=pipe)


async def test_the_worker_behind_nat_of_the_how_to_does_its_work() -> None:
    (program,) = programs((ROOT / "docs/how-to/workers-behind-nat.md").read_text())
    async with fake_gateway() as gateway:
        gateway.tasks.append(
            {"taskId": "t", "type": "word-count", "payload": {"text": "a b c"}, "attempt": 1, "callbackUrl": "u",
             "callbackToken": "c"}
        )  # fmt: skip
        backend = await python(program, gateway)
        assert await gateway.until("PUT", "/api/task/t") == {"status": "COMPLETED", "result": {"words": 3}}
        backend.send_signal(signal.SIGTERM)
        await backend.communicate()
    assert backend.returncode == 0


@asynccontextmanager
async def word_counter(gateway: FakeGateway) -> AsyncIterator[None]:
    backend = await python(BACKEND, gateway)
    try:
        await gateway.until("POST", "/api/servers/server_1/heartbeat")
        yield
    finally:
        backend.send_signal(signal.SIGTERM)
        await backend.communicate()
    assert backend.returncode == 0


def test_the_ten_line_backend_has_no_more_lines() -> None:
    assert len([line for line in BACKEND.splitlines() if line.strip()]) <= 10


@pytest.mark.parametrize(("program", "printed"), [(RUN, "6"), (STEPS, "COMPLETED {'words': 3}")])
async def test_the_readmes_clients_are_served_by_the_readmes_backend(program: str, printed: str) -> None:
    async with fake_gateway() as gateway, word_counter(gateway):
        client = await python(program, gateway)
        out, errors = await client.communicate()
    assert (out.decode().strip(), errors.decode()) == (printed, "")


async def test_the_ten_line_backend_refuses_bad_input() -> None:
    async with fake_gateway() as gateway, word_counter(gateway), AsyncDispatcher(gateway.url, "token") as client:
        with pytest.raises(TaskFailed, match="text is missing"):
            await client.run("word-count", {})


@pytest.fixture(scope="module")
def digits() -> ModuleType:
    spec = importlib.util.spec_from_file_location("digits_backend", TUTORIAL / "digits_backend.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tutorials_page_shows_the_program_as_it_is() -> None:
    page = (TUTORIAL / "first-backend.md").read_text()
    assert programs(page)[0] == (TUTORIAL / "digits_backend.py").read_text()


def test_the_tutorials_programs_are_python() -> None:
    for page in ("first-task.md", "first-backend.md"):
        for program in programs((TUTORIAL / page).read_text()):
            compile(program, page, "exec")


def test_the_tutorials_model_has_learned(digits: ModuleType) -> None:
    assert digits.model.score(digits.unseen, digits.unseen_labels) > 0.95


async def test_what_the_tutorials_backend_answers_is_what_its_model_says(
    digits: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = digits.unseen[:50]
    async with fake_gateway() as gateway:
        monkeypatch.setenv("DISPATCHER_URL", gateway.url)
        async with serving(digits.backend), AsyncDispatcher(token="token") as client:
            result = await client.run("digits", {"images": images})
    assert result["digits"] == digits.model.predict(images).tolist()
    assert result["confidence"] == digits.model.predict_proba(images).max(axis=1).tolist()


@pytest.mark.parametrize("payload", [{}, None, {"images": [[1, 2]]}, {"images": "x"}, {"images": [["a"] * 64]}])
def test_the_tutorials_backend_refuses_what_is_no_image(digits: ModuleType, payload: Any) -> None:
    with pytest.raises(InvalidInput):
        digits.read_digits(payload)
