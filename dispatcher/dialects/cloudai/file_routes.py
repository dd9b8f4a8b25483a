"""Handlers about the files that tasks leave behind.

Who may see a file is for the token to say. `user_id` narrows that down to the tasks that were handed in under this user
id; where it is another one, there is nothing.
"""

from dispatcher.dialects.call import Answer, Call, Stream
from dispatcher.dialects.cloudai.answers import Done, FileList, ListedFile, TaskFile, TaskFiles
from dispatcher.dialects.cloudai.options import MOST_LISTED, ORIGIN
from dispatcher.dialects.cloudai.wire_tasks import label_of, seconds
from dispatcher.dialects.downloads import download
from dispatcher.domain.errors import Invalid, NotFound
from dispatcher.domain.file import FileRecord
from dispatcher.domain.task import facet_word
from dispatcher.service.services import Services
from dispatcher.web.answer import encode_json
from dispatcher.web.query import filled, one, whole


class FileRoutes:
    """`open_door`: callers bring no token, and are nobody."""

    def __init__(self, services: Services, *, open_door: bool) -> None:
        self._files = services.files
        self._tasks = services.tasks
        self._open_door = open_door

    async def find(self, call: Call) -> Answer:
        user_id = _user_id(call)
        query = filled(call.query)
        offset = whole(query, "offset", default=0, least=0, most=999_999_999)
        limit = whole(query, "limit", default=MOST_LISTED, least=1, most=MOST_LISTED)
        records, total = list[FileRecord](), 0
        if self._may_ask(call, user_id):
            records, total = await self._files.find(
                call.caller, origin=ORIGIN, offset=offset, limit=limit, everybody=True, facet=facet_word(user_id)
            )
        answer = FileList(user_id=user_id, files=[_listed(record) for record in records], count=len(records))
        return Answer(encode_json(answer), headers={"X-Total-Count": str(total)})

    async def of_task(self, call: Call) -> Answer:
        user_id = await self._check_label(call)
        records = await self._files.of_task(call.caller, call.path_id, origin=ORIGIN)
        answer = TaskFiles(task_id=call.path_id, user_id=user_id, files=[_of_task(record) for record in records])
        return Answer(encode_json(answer))

    async def download(self, call: Call) -> Stream:
        await self._check_label(call)
        record = await self._files.get(call.caller, call.path_id, call.path_text("path"), origin=ORIGIN)
        return await download(call, self._files, record)

    async def delete(self, call: Call) -> Answer:
        await self._check_label(call)
        await self._files.delete(call.caller, call.path_id, origin=ORIGIN)
        message = f"All files for task {call.path_id} deleted successfully"
        return Answer(encode_json(Done(success=True, message=message)))

    def _may_ask(self, call: Call, user_id: str) -> bool:
        """Whether the one who is said to ask is the caller. Without tokens that is nobody's word but the request's:
        then everybody may ask for what is their own. Raises NotFound."""
        asking = one(call.query, "requesting_user")
        if not asking:
            return True
        if self._open_door:
            return asking == user_id
        if asking != call.caller.owner.sub:
            raise NotFound(f"User not found: {asking[:128]}")
        return True

    async def _check_label(self, call: Call) -> str:
        """The `user_id` of the request, which is that of the task. Raises Invalid, NotFound."""
        user_id = _user_id(call)
        task, _ = await self._tasks.get(call.caller, call.path_id, origin=ORIGIN)
        if label_of(task) != user_id:
            raise NotFound(f"Task not found: {task.id}")
        return user_id


def _user_id(call: Call) -> str:
    user_id = one(call.query, "user_id")
    if not user_id:
        raise Invalid("Missing required parameter: user_id", field="user_id")
    return user_id


def _listed(record: FileRecord) -> ListedFile:
    return ListedFile(
        file_id=record.id,
        task_id=record.task_id,
        file_name=record.name,
        file_path=record.path,
        file_size=record.size,
        uploaded_at=seconds(record.created_ms),
    )


def _of_task(record: FileRecord) -> TaskFile:
    return TaskFile(
        file_id=record.id,
        file_name=record.name,
        file_path=record.path,
        file_size=record.size,
        content_type=record.content_type,
        uploaded_at=seconds(record.created_ms),
    )
