"""What a script's refusal is to its caller."""

from dispatcher.domain import errors
from dispatcher.store.runner import Reply


def replaced() -> errors.Replaced:
    return errors.Replaced("Another connection of this worker has taken over")


def not_found(task_id: str) -> errors.NotFound:
    return errors.NotFound(f"Task not found: {task_id}")


def refuse_owned(reply: Reply, task_id: str, verb: str) -> None:
    """Raise what a refused call of an owner deserves; nothing for an accepted one."""
    if reply.tag == "not_found":
        raise not_found(task_id)
    if reply.tag == "illegal":
        raise errors.IllegalState(f"A task in state {reply.text(0)} cannot be {verb}")


def refuse_report(reply: Reply, task_id: str) -> None:
    """Raise what a refused report deserves; nothing for an accepted one."""
    match reply.tag:
        case "not_found":
            raise not_found(task_id)
        case "stale":
            raise errors.StaleAttempt("This attempt no longer has the task: stop working on it")
        case "never_held":
            raise errors.Forbidden("This server never had the task")
        case "no_attempt":
            raise errors.IllegalState("Invalid status transition: the task has no attempt to report for")
        case "conflict":
            raise errors.ConflictingResult("Another end was already recorded for this attempt")
        case "ended":
            state = reply.text(0)
            raise errors.AlreadyEnded(f"The task has ended: {state}", code=state)


def refusal_of_create(tag: str) -> errors.DispatchError | None:
    """The refusal of a create; None for what is none."""
    match tag:
        case "key_reused":
            return errors.KeyReused("This Idempotency-Key was used with another body")
        case "deadline_past":
            return errors.Invalid("deadline is in the past", field="deadline")
        case "quota":
            return errors.QuotaExceeded("Too many tasks, or too many different demands, of this tenant are live")
        case "full":
            return errors.Unavailable("The queue is full")
    return None


def no_control() -> errors.NoControl:
    return errors.NoControl("This worker keeps no control channel, or its connection is down")


def too_many_commands() -> errors.Conflict:
    return errors.TooMany("Too many commands wait for this worker")


def too_late() -> errors.Invalid:
    return errors.Invalid("deadline is in the past", field="deadline")


def operation_running(operation_id: str) -> errors.Conflict:
    return errors.OperationRunning(f"Another operation is running there: {operation_id}")


def too_many_operations() -> errors.Conflict:
    return errors.TooMany("Too many operations are running")


def not_placed(model: str, server_id: str) -> errors.NotFound:
    return errors.NotFound(f"Model {model} is not on server {server_id}")


def no_room(model: str, server_id: str) -> errors.Conflict:
    return errors.NoRoom(f"Server {server_id} has no room for model {model}")


def too_many_models(server_id: str) -> errors.Conflict:
    return errors.TooMany(f"Too many models are on server {server_id}")


def model_busy(model: str, server_id: str) -> errors.Conflict:
    return errors.ModelBusy(f"Model {model} is being loaded or unloaded on server {server_id}")


def upload_expired() -> errors.UploadExpired:
    return errors.UploadExpired("The upload took too long")


def confined() -> errors.Conflict:
    return errors.Conflict("This server was registered through another door, and stays confined to that")
