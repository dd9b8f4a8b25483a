"""Lines of logs between the wire and the domain. Pure."""

from collections.abc import Iterable

from dispatcher.dialects.native.errors import error_answer
from dispatcher.dialects.native.output_answers import LogLineAnswer, LogPageAnswer
from dispatcher.dialects.native.requests import AppendLog
from dispatcher.domain.errors import DispatchError
from dispatcher.domain.log import LogLine, LogPage, LogStream, NewLine
from dispatcher.web.answer import encode_json
from dispatcher.web.stream import event


def new_lines(body: AppendLog) -> list[NewLine]:
    return [NewLine(LogStream(line.stream), line.text, line.at, line.partial) for line in body.lines]


def line_answer(line: LogLine) -> LogLineAnswer:
    answer = LogLineAnswer(seq=line.seq, at=line.at_ms, attempt=line.fence, stream=line.stream.value, text=line.text)
    if line.rank is not None:
        answer["rank"] = line.rank
    if line.partial:
        answer["partial"] = True
    return answer


def page_answer(task_id: str, page: LogPage, after: int) -> LogPageAnswer:
    return LogPageAnswer(
        taskId=task_id,
        lines=[line_answer(line) for line in page.lines],
        after=page.lines[-1].seq if page.lines else min(after, page.last),
        ended=page.complete,
    )


def line_events(lines: Iterable[LogLine]) -> bytes:
    """A message per line; its id is where to resume."""
    return b"".join(event(encode_json(line_answer(line)), id=str(line.seq)) for line in lines)


def line_message(line: LogLine) -> str:
    """The same on a socket."""
    return encode_json({"type": "line", **line_answer(line)}).decode()


def end_message(page: LogPage) -> str:
    return encode_json({"type": "end", "status": page.ended}).decode()


def end_event(page: LogPage) -> bytes:
    return event(encode_json({"status": page.ended}), name="end")


def error_event(error: DispatchError, request_id: str) -> bytes:
    """Named so that no browser takes it for the end of the connection, which it calls `error`."""
    return event(encode_json(error_answer(error, request_id)), name="failure")
