"""Whatever bytes come: an answer, or a fault in one line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readbench.teachers.endpoint.faults import Fault
from readbench.teachers.endpoint.schema import Completion, parse_completion

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
USAGE = st.fixed_dictionaries({"prompt_tokens": JSON, "completion_tokens": JSON}) | JSON
FINISH = st.just("stop") | JSON
CHOICE = st.fixed_dictionaries({"message": st.fixed_dictionaries({"content": JSON}) | JSON, "text": JSON, "finish_reason": FINISH}) | JSON
CHOICES = st.lists(CHOICE, max_size=2) | JSON
ANSWER = st.fixed_dictionaries({"model": st.just("m") | JSON, "choices": CHOICES}, optional={"usage": USAGE})


@pytest.mark.parametrize("api", ["chat", "completions"])
@given(content=st.binary() | JSON.map(json.dumps).map(str.encode) | ANSWER.map(json.dumps).map(str.encode))
def test_any_bytes_are_an_answer_or_a_fault_in_one_line(api: str, content: bytes) -> None:
    found = parsed(api, content)
    if isinstance(found, Completion):
        assert found.text.encode().decode() == found.text
        assert min(found.prompt_tokens, found.completion_tokens) >= 0
        assert found.finish_reason in ("stop", "length")
    else:
        assert "\n" not in found.message
        assert len(found.message) < 1000


def parsed(api: str, content: bytes) -> Completion | Fault:
    try:
        return parse_completion(api, content, "application/json")
    except Fault as fault:
        return fault
