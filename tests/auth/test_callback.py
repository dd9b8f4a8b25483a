import ast
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.auth import CallbackTokens, SecretKeys, Tokens, callback, is_callback_token
from dispatcher.domain.errors import Unauthorized
from dispatcher.domain.ids import new_nonce, new_task_id
from dispatcher.domain.reporter import ByAttempt
from tests.auth.forge import OLD_SECRET, SECRET, token

CALLBACKS = CallbackTokens([SECRET])
TOKEN = CALLBACKS.make("task_a", 12, "n0nce")


def refused(task_id: str, text: str, tokens: CallbackTokens = CALLBACKS) -> None:
    with pytest.raises(Unauthorized):
        tokens.read(task_id, text)


def test_round_trip() -> None:
    task_id, nonce = new_task_id(), new_nonce()
    assert CALLBACKS.read(task_id, CALLBACKS.make(task_id, 7, nonce)) == ByAttempt(7, nonce)
    assert is_callback_token(TOKEN)
    assert not is_callback_token(token())


def test_a_token_speaks_for_its_task_only() -> None:
    refused("task_b", TOKEN)
    refused("task_a12", TOKEN)
    refused("", TOKEN)


def test_another_attempt_needs_another_token() -> None:
    _, nonce, mac = TOKEN.removeprefix("cb_").split(".")
    for fence in ("13", "1", "2", "012", "+12", "12 ", "\u0661\u0662", "0", "-1", "9" * 30):
        refused("task_a", f"cb_{fence}.{nonce}.{mac}")
    refused("task_a", f"cb_12.n0ncf.{mac}")
    refused("task_a", f"cb_12.{nonce}.{CALLBACKS.make('task_a', 13, 'n0nce').rsplit('.', 1)[1]}")


def test_damaged_tokens() -> None:
    for length in range(len(TOKEN)):
        refused("task_a", TOKEN[:length])
    for position in range(len(TOKEN)):
        wrong = "A" if TOKEN[position] != "A" else "B"
        refused("task_a", TOKEN[:position] + wrong + TOKEN[position + 1 :])
    for text in (TOKEN + "=", TOKEN + "\n", " " + TOKEN, TOKEN.upper(), token()):
        refused("task_a", text)


@given(st.text(max_size=200).filter(lambda text: text != "task_a"))
def test_any_text_is_refused_politely(text: str) -> None:
    refused("task_a", text)
    refused(text, TOKEN)


def test_rotation() -> None:
    both = CallbackTokens([OLD_SECRET, SECRET])
    assert both.read("task_a", TOKEN) == ByAttempt(12, "n0nce")
    refused("task_a", both.make("task_a", 12, "n0nce"))
    refused("task_a", TOKEN, CallbackTokens([OLD_SECRET]))


def test_no_token_of_one_kind_is_one_of_the_other() -> None:
    with pytest.raises(Unauthorized):
        Tokens(SecretKeys([SECRET])).authenticate(TOKEN)


def test_macs_are_compared_in_constant_time() -> None:
    tree = ast.parse(inspect.getsource(callback))
    read = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "read")
    assert any(isinstance(n, ast.Attribute) and n.attr == "compare_digest" for n in ast.walk(read))
    compared = [n for n in ast.walk(read) if isinstance(n, ast.Compare)]
    assert all(isinstance(op, ast.Is | ast.IsNot) for n in compared for op in n.ops)
