"""API keys in Redis. Implements `service.ports.KeyStore`."""

import json
from typing import Any

from dispatcher.domain.apikey import KEYS_MOST, ApiKey
from dispatcher.domain.errors import TooMany
from dispatcher.domain.principal import Owner, Role
from dispatcher.store.reach import reachable
from dispatcher.store.runner import Runner


class RedisKeys:
    """One hash of records."""

    def __init__(self, runner: Runner) -> None:
        self._run = runner
        self._hash = f"{runner.root}apikeys"

    async def put(self, key: ApiKey, digest: str) -> None:
        reply = await self._run.call("put_api_key", key_id=key.id, record=_record(key, digest), most=KEYS_MOST)
        if reply.tag == "too_many":
            raise TooMany(f"There are {KEYS_MOST} API keys: revoke one first")

    async def get(self, key_id: str) -> tuple[ApiKey, str] | None:
        with reachable():
            raw: Any = await self._run.client.hget(self._hash, key_id)
        return None if raw is None else _read(key_id, raw)

    async def all(self) -> list[ApiKey]:
        with reachable():
            raw: Any = await self._run.client.hgetall(self._hash)
        keys = [_read(key_id.decode(), record)[0] for key_id, record in raw.items()]
        return sorted(keys, key=lambda key: (key.created_ms, key.id))

    async def revoke(self, key_id: str) -> bool:
        with reachable():
            removed: Any = await self._run.client.hdel(self._hash, key_id)
        return bool(removed)


def _record(key: ApiKey, digest: str) -> str:
    return json.dumps(
        {
            "digest": digest,
            "tenant": key.owner.tenant,
            "sub": key.owner.sub,
            "role": key.role,
            "name": key.name,
            "created": key.created_ms,
            "expires": key.expires_ms,
        }
    )


def _read(key_id: str, record: bytes) -> tuple[ApiKey, str]:
    f = json.loads(record)
    owner = Owner(f["tenant"], f["sub"])
    return ApiKey(key_id, owner, Role(f["role"]), f["created"], f["name"], f["expires"]), f["digest"]
