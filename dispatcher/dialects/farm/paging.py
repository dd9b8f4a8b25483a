"""Pages of a list: `?page=1&limit=10`, and the headers that go with them."""

import re
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from starlette.datastructures import Headers, QueryParams

from dispatcher.dialects.call import Call
from dispatcher.web.query import whole

MOST = 100
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Page:
    number: int
    limit: int

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.limit

    def count(self, total: int) -> int:
        """How many pages there are."""
        return -(-total // self.limit)


def page_asked(query: QueryParams) -> Page:
    """A limit above the most counts as the most. Raises Invalid."""
    number = whole(query, "page", default=1, least=1, most=999_999_999)
    return Page(number, whole(query, "limit", default=10, least=1, most=MOST, capped=True))


def page_headers(call: Call, page: Page, total: int, public_url: str) -> dict[str, str]:
    """X-Total-Count, X-Page-Count and Link (RFC 8288); the links keep the rest of the query."""
    pages = page.count(total)
    headers = {"X-Total-Count": str(total), "X-Page-Count": str(pages)}
    near = {"first": 1, "prev": min(page.number - 1, pages), "next": page.number + 1, "last": pages}
    here = _url(call, public_url)
    links = [
        f'<{here}?{_query(call.query, page.limit, number)}>; rel="{rel}"'
        for rel, number in near.items()
        if 1 <= number <= pages
    ]
    return {**headers, "Link": ", ".join(links)} if links else headers


def _query(query: QueryParams, limit: int, number: int) -> str:
    kept = [(name, value) for name, value in query.multi_items() if name not in ("page", "limit")]
    return urlencode([*kept, ("page", str(number)), ("limit", str(limit))])


def _url(call: Call, public_url: str) -> str:
    scope = call.scope
    root: str = scope.get("root_path", "")
    path: str = scope["path"]
    if public_url:
        return public_url + quote(path.removeprefix(root))
    host = Headers(scope=scope).get("host", "")
    origin = f"{scope.get('scheme', 'http')}://{host}" if _HOST.fullmatch(host) else ""
    return origin + quote(path)
