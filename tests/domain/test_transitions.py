"""The one table of states."""

from dispatcher.domain.transitions import (
    TERMINAL,
    TRANSITIONS,
    TaskEvent,
    TaskState,
    from_states,
    next_state,
    to_mermaid,
)

S, E = TaskState, TaskEvent


def test_completed_and_cancelled_are_absorbing() -> None:
    for state in (S.COMPLETED, S.CANCELLED):
        assert [event for event in E if next_state(state, event)] == []


def test_failed_and_timeout_leave_only_by_an_explicit_retry() -> None:
    for state in (S.FAILED, S.TIMEOUT):
        assert [event for event in E if next_state(state, event)] == [E.REOPEN]


def test_every_state_can_be_reached_and_every_living_one_can_end() -> None:
    reached = {S.PENDING, S.SCHEDULED}
    for _ in S:
        reached |= {target for moves in TRANSITIONS.values() for source, target in moves.items() if source in reached}
    assert reached == set(S)
    for state in set(S) - TERMINAL:
        assert next_state(state, E.CANCEL) is S.CANCELLED
        assert next_state(state, E.TIME_OUT) is S.TIMEOUT


def test_only_a_queued_task_is_claimed() -> None:
    assert from_states(E.CLAIM) == (S.PENDING,)


def test_a_late_report_may_save_a_task_that_waits_again_and_only_such_a_one() -> None:
    for event in (E.COMPLETE, E.FAIL):
        assert set(from_states(event)) == {S.PROCESSING, S.PENDING, S.RETRYING, S.PAUSED}


def test_every_event_has_its_row() -> None:
    assert set(TRANSITIONS) == set(E)
    assert all(TRANSITIONS.values())


def test_the_diagram_has_every_move_once() -> None:
    lines = to_mermaid().splitlines()
    assert len(lines) == len(set(lines))
    for event, moves in TRANSITIONS.items():
        for source, target in moves.items():
            assert f"    {source} --> {target}: {event}" in lines
    assert sum(line.endswith("--> [*]") for line in lines) == len(TERMINAL)
