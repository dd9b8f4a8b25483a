"""The page at /docs, in a real browser."""

import json
from typing import Any

import pytest

from tests.browser.conftest import Running
from tests.support.browser import Page

READY = "document.querySelectorAll('details.operation').length"
IMAGE = "<img src=x onerror='document.hacked = true'>"


async def opened(page: Page, gateway: Running, prefix: str = "", **look: Any) -> Page:
    await page.look(**look)
    await page.open(f"{gateway.url}{prefix}/docs", ready=READY)
    return page


async def unfold(page: Page, operation: str) -> str:
    """Open an operation by its link; answers a script's name for it."""
    await page.js(f"location.hash = '#{operation}'")
    block = f"document.getElementById('{operation}')"
    await page.until(f"{block}.querySelector('button')")
    return block


async def unfold_all(page: Page) -> None:
    await page.js("document.querySelectorAll('details.operation').forEach(one => { one.open = true; })")
    await page.until("[...document.querySelectorAll('details.operation')].every(one => one.querySelector('.errors'))")


async def send(page: Page, block: str) -> tuple[str, str]:
    """Press Send; answers the status line and the answer."""
    await page.js(f"{block}.querySelector('button').click()")
    await page.until(f"!{block}.querySelector('button').disabled")
    status = await page.js(f"{block}.querySelector('[role=status]').textContent")
    return status, await page.js(f"{block}.querySelector('.shown').textContent")


async def test_the_page_needs_this_gateway_alone(page: Page, gateway: Running) -> None:
    await opened(page, gateway)
    assert len(page.requests) >= 4
    assert [url for url in page.requests if not url.startswith(f"{gateway.url}/")] == []
    assert page.complaints == []


async def test_every_operation_of_the_document_is_there_once(page: Page, gateway: Running) -> None:
    await opened(page, gateway)
    document = await page.js("fetch('/openapi.json').then(answer => answer.json())")
    expected = {
        (method.upper(), path, operation["operationId"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    shown = await page.js(
        "[...document.querySelectorAll('details.operation')].map(one =>"
        " [one.querySelector('.method').textContent, one.querySelector('.path').textContent, one.id])"
    )
    assert len(shown) == len(expected) >= 16
    assert {tuple(one) for one in shown} == expected
    links = await page.js("[...document.querySelectorAll('nav a')].map(link => link.getAttribute('href').slice(1))")
    assert sorted(links) == sorted(operation for _, _, operation in expected)


@pytest.mark.parametrize("prefix", ["", "/jobs", "/farm"])
async def test_every_operation_unfolds(page: Page, gateway: Running, prefix: str) -> None:
    await opened(page, gateway, prefix)
    await unfold_all(page)
    assert "undefined" not in await page.js("document.body.innerText")
    assert page.complaints == []


async def test_a_page_below_a_prefix_sends_below_it(page: Page, gateway: Running) -> None:
    await opened(page, gateway, "/jobs")
    status, answer = await send(page, await unfold(page, "health"))
    assert status.startswith("200 ")
    assert json.loads(answer) == {"status": "healthy", "database": "connected"}
    status, answer = await send(page, await unfold(page, "bulkSubmit"))
    assert status.startswith("401 ")
    assert json.loads(answer)["code"] == "UNAUTHORIZED"


async def test_a_task_is_created_and_its_answer_shown(page: Page, gateway: Running) -> None:
    await opened(page, gateway)
    block = await unfold(page, "createTask")
    assert (await send(page, block))[0].startswith("401 ")
    await page.type("#token", gateway.token)
    body = json.dumps({"type": "demo", "priority": 1, "payload": {}, "async": False})
    await page.type("#createTask textarea", body)
    status, answer = await send(page, block)
    assert status.startswith("200 ")
    assert "calls left this minute" in status
    task = json.loads(answer)
    assert task["status"] == "COMPLETED"
    command = await page.js(f"{block}.querySelector('.command').textContent")
    assert gateway.token not in command
    assert f"-d '{body}'" in command

    block = await unfold(page, "getTask")
    await page.type("#getTask [aria-label=id]", task["id"])
    assert json.loads((await send(page, block))[1])["id"] == task["id"]


async def test_what_the_path_needs_is_asked_for(page: Page, gateway: Running) -> None:
    await opened(page, gateway)
    block = await unfold(page, "getTask")
    before = len(page.requests)
    await page.js(f"{block}.querySelector('button').click()")
    assert await page.js(f"{block}.querySelector('[role=status]').textContent") == "id is needed"
    assert len(page.requests) == before


async def test_the_token_stays_on_the_page(page: Page, gateway: Running) -> None:
    await opened(page, gateway)
    await page.type("#token", gateway.token)
    await send(page, await unfold(page, "listTasks"))
    assert await page.js("localStorage.length + sessionStorage.length + document.cookie.length") == 0
    assert gateway.token not in await page.js("location.href")
    assert [url for url in page.requests if gateway.token in url] == []


async def test_a_hostile_name_in_an_answer_is_text(page: Page, gateway: Running) -> None:
    await opened(page, gateway)
    await page.type("#token", gateway.token)
    await page.js(f"location.hash = {json.dumps('#' + IMAGE)}")
    block = await unfold(page, "createTask")
    payload = {"type": IMAGE, "priority": 1, "payload": {"</pre><script>document.hacked = true</script>": 1}}
    await page.type("#createTask textarea", json.dumps(payload))
    status, answer = await send(page, block)
    assert status.startswith("200 ")
    assert json.loads(answer)["type"] == IMAGE
    await nothing_ran(page)


async def test_a_hostile_document_is_text(page: Page, gateway: Running) -> None:
    """Whatever comes to stand in the document: names, descriptions, examples and paths are shown as they are."""
    await page.open(f"{gateway.url}/docs", ready=READY)
    document = await page.js("fetch('/openapi.json').then(answer => answer.json())")
    operation = document["paths"]["/api/task"]["post"]
    operation |= {"summary": IMAGE, "description": f"`{IMAGE}` {IMAGE}"}
    operation["requestBody"]["content"]["application/json"]["example"] = {IMAGE: "</textarea>" + IMAGE}
    document["info"]["title"] = document["tags"][0]["description"] = IMAGE
    document["paths"][f"/javascript:{IMAGE}"] = {"get": document["paths"]["/health"]["get"]}
    hostile = json.dumps(document).encode()
    page.replace = lambda url: hostile if url.endswith("/openapi.json") else None
    await page.call("Fetch.enable", patterns=[{"urlPattern": "*/openapi.json"}])

    await page.open(f"{gateway.url}/docs", ready=f"document.title.includes('img') && {READY}")
    await unfold(page, "createTask")
    assert await page.js("document.querySelector('h1').textContent") == IMAGE
    await nothing_ran(page)


async def nothing_ran(page: Page) -> None:
    assert await page.js("document.hacked === undefined && document.querySelectorAll('img, pre script').length") == 0
    assert page.complaints == []


CONTRAST = """(() => {
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const rgba = text => text.match(/[\\d.]+/g).map(Number);
  const behind = node => { for (let at = node; at; at = at.parentElement) {
    const colour = rgba(getComputedStyle(at).backgroundColor); if (colour[3] !== 0) return colour; } };
  return [...document.querySelectorAll('h1, h2, h3, a, p, code, pre, td, button, label, .method, .path, .soft')]
    .filter(node => node.innerText?.trim()).map(node => {
      const [a, b] = [light(rgba(getComputedStyle(node).color)), light(behind(node))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), node.className || node.tagName];
    }).sort((a, b) => a[0] - b[0])[0];
})()"""


@pytest.mark.parametrize("dark", [False, True])
async def test_dark_and_light_can_be_read(page: Page, gateway: Running, dark: bool) -> None:
    """WCAG 2.2, success criterion 1.4.3: text has a contrast of 4.5 : 1 at least."""
    await opened(page, gateway, dark=dark)
    await unfold(page, "createTask")
    red = (await page.js("getComputedStyle(document.body).backgroundColor")).removeprefix("rgb(").partition(",")[0]
    assert (int(red) < 64) == dark
    ratio, where = await page.js(CONTRAST)
    assert ratio >= 4.5, where


async def test_a_narrow_window_scrolls_downwards_only(page: Page, gateway: Running) -> None:
    await opened(page, gateway, width=360, height=740)
    await page.type("#token", gateway.token)
    await send(page, await unfold(page, "listTasks"))
    await unfold_all(page)
    assert await page.js("document.documentElement.scrollWidth") == 360
    narrowest = "Math.min(...[...document.querySelectorAll('details input')].map(one => one.offsetWidth))"
    assert await page.js(narrowest) >= 200
