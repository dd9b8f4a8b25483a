"""What the package shows and what importing it costs."""

import subprocess
import sys
from pathlib import Path

import dispatcher_sdk
import sdk
from dispatcher_sdk import errors

ROOT = Path(__file__).parents[2]


def test_all_is_sorted_and_complete() -> None:
    assert dispatcher_sdk.__all__ == sorted(dispatcher_sdk.__all__)
    shown = {name for name in vars(dispatcher_sdk) if name[0].isupper()}
    assert shown == set(dispatcher_sdk.__all__)


def test_the_checkouts_alias_is_the_package() -> None:
    for name in dispatcher_sdk.__all__:
        assert getattr(sdk, name) is getattr(dispatcher_sdk, name)


def test_the_drawn_tree_is_the_real_one() -> None:
    def draw(kind: type[Exception], depth: int = 0) -> list[tuple[int, str]]:
        below = [line for child in kind.__subclasses__() for line in draw(child, depth + 1)]
        return [(depth, kind.__name__), *below]

    drawn = []
    for line in (errors.__doc__ or "").splitlines()[2:]:
        name = line.lstrip("│├└─ ").split(" ")[0]
        drawn.append(((len(line) - len(line.lstrip("│├└─ "))) // 4, name))
    assert drawn == draw(errors.DispatcherError)
    assert {name for _, name in drawn} <= set(dispatcher_sdk.__all__)


def test_importing_the_sdk_brings_nothing_of_the_server() -> None:
    heavy = ["starlette", "redis", "jwt", "hypercorn", "dispatcher", "balancer", "psutil", "pynvml", "cryptography",
             "websockets"]  # fmt: skip
    code = f"import sys, dispatcher_sdk; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "sdk")
    assert done.stdout.strip() == "[]"


def test_plain_httpx_does_as_well() -> None:
    code = (
        "import sys; sys.modules['httpx2'] = None\n"
        "from dispatcher_sdk._http import httpx; from dispatcher_sdk import Dispatcher\n"
        "Dispatcher().close(); print(httpx.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "sdk")
    assert done.stdout.strip() == "httpx"


def test_no_type_of_the_http_library_is_in_the_public_api() -> None:
    for name in dispatcher_sdk.__all__:
        members = vars(getattr(dispatcher_sdk, name))
        for member in members.values():
            annotations = getattr(member, "__annotations__", {})
            assert "httpx" not in str(annotations), f"{name}.{member}"
