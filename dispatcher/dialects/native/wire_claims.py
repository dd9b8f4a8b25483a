"""A claimed task on the wire. Pure."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from dispatcher.dialects.native.wire_resources import resources_answer
from dispatcher.dialects.native.wire_tasks import plain
from dispatcher.domain.grant import Grant
from dispatcher.domain.task import POINTS_PER_LEVEL
from dispatcher.web.answer import encode_json

CallbackToken = Callable[[str, int, str], str]  # (task id, attempt, nonce)


@dataclass(frozen=True, slots=True)
class GrantWire:
    """How a granted task is shown to its worker. `public_url` is where servers reach this gateway."""

    public_url: str
    callback_token: CallbackToken

    def __call__(self, grant: Grant, lease_ms: int) -> bytes:
        return claim_json(
            grant,
            callback_url=f"{self.public_url}/api/task/{grant.task_id}",
            callback_token=self.callback_token(grant.task_id, grant.fence, grant.nonce),
            lease_ms=lease_ms,
        )


def claim_json(grant: Grant, *, callback_url: str, callback_token: str, lease_ms: int) -> bytes:
    """The task with all that is needed to do it and to report on it; the payload as it came."""
    spec = json.loads(grant.spec)
    head = {
        "taskId": grant.task_id,
        "type": grant.type,
        "priority": spec.get("priority", plain(grant.points / POINTS_PER_LEVEL)),
        "capabilities": spec.get("capabilities", []),
        "attempt": grant.fence,
        "callbackUrl": callback_url,
        "callbackToken": callback_token,
        "deadline": grant.deadline_ms,
        "lease": plain(lease_ms / 1000),
    }
    if grant.kind != "predict":
        head["kind"] = grant.kind
    if grant.needs:
        head["resources"] = resources_answer(grant.needs)
    if "traceparent" in spec:
        head["traceparent"] = spec["traceparent"]
    return encode_json(head)[:-1] + b',"payload":' + (grant.payload or b"null") + b"}"
