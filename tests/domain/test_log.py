"""Lines of a log as one text."""

from dispatcher.domain.log import LogLine, LogStream, joined

OUT, ERR = LogStream.STDOUT, LogStream.STDERR


def line(text: str, stream: LogStream = OUT, *, fence: int = 1, partial: bool = False) -> LogLine:
    return LogLine(1, 0, fence, stream, text, partial=partial)


def test_a_line_that_came_in_parts_is_one() -> None:
    said = [line("ab", partial=True), line("what", ERR), line("cd", partial=True), line("e"), line("")]
    assert joined(said) == "what\nabcde\n\n"


def test_a_line_that_never_ended_has_an_end_and_is_not_continued_by_another_attempt() -> None:
    assert joined([line("ab", partial=True), line("new", fence=2)]) == "new\nab\n"
    assert joined([]) == ""
