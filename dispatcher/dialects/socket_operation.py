"""A WebSocket of a dialect, as data. OpenAPI has no form for its messages: they are told in words, and in
`x-websocket`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dispatcher.dialects.operation import Parameter
from dispatcher.domain.errors import UpgradeRequired
from dispatcher.web.errors import status_of


@dataclass(frozen=True, slots=True)
class SocketOperation:
    """`says` are the messages of the caller and `hears` those that it is sent, by type, with what is in them; `closes`
    says by close code when the gateway closes."""

    id: str
    path: str
    tag: str
    summary: str
    about: str
    says: Mapping[str, str]
    hears: Mapping[str, str]
    closes: Mapping[int, str]
    parameters: tuple[Parameter, ...] = ()

    def to_openapi(self, error: Mapping[str, Any]) -> dict[str, Any]:
        """The GET of its path; `error` is the schema of an error."""
        closes = {str(code): when for code, when in self.closes.items()}
        lists = {"You send:": self.says, "You are sent:": self.hears, "The gateway closes with:": closes}
        text = [self.about]
        for title, entries in lists.items():
            text += ["", title, *(f"- `{name}` {told}".rstrip() for name, told in entries.items())]
        refusal = UpgradeRequired
        return {
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "description": "\n".join(text),
            "parameters": [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in re.findall(r"{(\w+)}", self.path)
            ]
            + [parameter.to_openapi() for parameter in self.parameters],
            "responses": {
                "101": {"description": "The WebSocket is open"},
                str(status_of(refusal)): {
                    "description": refusal.code,
                    "content": {"application/json": {"schema": error}},
                },
            },
            "security": [{"token": []}, {}],  # a first message may bring the token
            "x-websocket": {
                "says": dict(self.says),
                "hears": dict(self.hears),
                "closes": closes,
            },
        }
