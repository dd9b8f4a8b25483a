"""The section of AI Farm."""

from typing import Annotated, Literal

from pydantic import AfterValidator

from dispatcher.settings.sections import Section, web_address
from dispatcher.settings.values import Duration, Size, lasting, setting, sized


class Farm(Section):
    """AI Farm under /farm."""

    auth: Literal["required", "none"] = setting("required", "as [jobs] auth")
    requests: int = setting(60, "REST calls per minute and principal; 0: no limit", ge=0)
    reports: int = setting(6_000, "connections per minute of one client", ge=0)
    messages: int = setting(100, "messages a second of one client; more closes its socket", ge=1)
    max_message: Annotated[Size, sized("1KiB", "64MiB")] = setting("1MiB", "largest message of a client")
    lease: Annotated[Duration, lasting("2s", "1h")] = setting(
        "30s", "a client that is silent for so long loses its task and is inactive"
    )
    forget: Annotated[Duration, lasting("0s", "366d")] = setting(
        "24h", "a client that was not heard of for so long is forgotten; 0s: never"
    )
    strict_resources: bool = setting(
        False, "true: clients that report no resources get only tasks of 1 core, 1 MB and no GPU"
    )
    gang_restart: bool = setting(
        True, "a distributed task that lost a client starts again on all; false: it ends as failed"
    )
    master_port: int = setting(29_500, "master_port of distributed tasks", ge=1, le=65_535)
    public_url: Annotated[str, AfterValidator(web_address)] = setting(
        "", "how clients reach this API, for the Link header; empty: as each request names it"
    )
