"""Function calls as models and APIs write them."""

import json

import pytest

from readbench import make_verifier
from readbench.api import Question
from readbench.base.errors import ConfigError

WEATHER = json.dumps({"name": "get_weather", "arguments": {"city": "Paris", "days": 3}})
TWO = json.dumps([{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {"y": "a"}}])
POSSIBLE = json.dumps([{"math.area": {"base": [10], "height": [5], "unit": ["units", ""]}}])
NESTED = json.dumps([{"find": {"where": [{"city": ["Paris", "paris, france"], "near": [True, ""]}], "tags": [["a", "b"], ["b", "a"]]}}])
RIGHT = [
    (WEATHER, '{"name": "get_weather", "arguments": {"city": "Paris", "days": 3}}'),
    (WEATHER, '{"arguments": {"days": 3, "city": "Paris"}, "name": "get_weather"}'),
    (WEATHER, '{"name": "get_weather", "parameters": {"city": "Paris", "days": 3}}'),
    (WEATHER, '{"name": "get_weather", "args": {"city": "paris", "days": 3.0}}'),
    (WEATHER, '[{"name": "get_weather", "arguments": {"city": "Paris", "days": 3}}]'),
    (WEATHER, '{"function": {"name": "get_weather", "arguments": {"city": "Paris", "days": 3}}}'),
    (WEATHER, '{"type": "function", "function": {"name": "get_weather", "arguments": "{\\"city\\": \\"Paris\\", \\"days\\": 3}"}}'),
    (WEATHER, '{"tool_calls": [{"name": "get_weather", "arguments": {"city": "Paris", "days": 3}}]}'),
    (WEATHER, '{"get_weather": {"city": "Paris", "days": 3}}'),
    (WEATHER, '[{"get_weather": {"city": "Paris", "days": 3}}]'),
    (WEATHER, '```json\n{"name": "get_weather", "arguments": {"city": "Paris", "days": 3}}\n```'),
    (WEATHER, 'Sure!\n```\n{"name": "get_weather", "arguments": {"city": "Paris", "days": 3}}\n```\nDone.'),
    (WEATHER, '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris", "days": 3}}\n</tool_call>'),
    (WEATHER, 'Thinking {"name": "other"}\n<tool_call>{"name": "get_weather", "arguments": {"city": "Paris", "days": 3}}</tool_call>'),
    (WEATHER, '<tool_call>{"name": "get_weather", "arguments": {"city": "Paris", "days": 3}}'),
    (WEATHER, 'I will call {"name": "get_weather", "arguments": {"city": "Paris", "days": 3}} now.'),
    (WEATHER, 'get_weather(city="Paris", days=3)'),
    (WEATHER, "[get_weather(city='Paris', days=3)]"),
    (WEATHER, '```python\nget_weather(city="Paris", days=3)\n```'),
    (WEATHER, 'I will call:\nget_weather(city="Paris", days=3)'),
    (WEATHER, '{"name": "get_weather", "arguments": {"city": " PARIS ", "days": 3}}'),
    (TWO, '[{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {"y": "a"}}]'),
    (TWO, '[{"name": "g", "arguments": {"y": "a"}}, {"name": "f", "arguments": {"x": 1}}]'),
    (TWO, '{"name": "f", "arguments": {"x": 1}}\n{"name": "g", "arguments": {"y": "a"}}'),
    (TWO, '<tool_call>{"name": "f", "arguments": {"x": 1}}</tool_call><tool_call>{"name": "g", "arguments": {"y": "a"}}</tool_call>'),
    (TWO, '[f(x=1), g(y="a")]'),
    (TWO, 'f(x=1)\ng(y="a")'),
    (POSSIBLE, "[math.area(base=10, height=5)]"),
    (POSSIBLE, 'math.area(base=10, height=5, unit="units")'),
    (POSSIBLE, '{"math.area": {"base": 10, "height": 5.0}}'),
    (NESTED, '{"find": {"where": {"city": "Paris"}, "tags": ["b", "a"]}}'),
    (NESTED, '{"find": {"where": {"city": "Paris, France", "near": true}, "tags": ["a", "b"]}}'),
    (NESTED, '[find(where={"city": "paris", "near": True}, tags=["a", "b"])]'),
]
WRONG = [
    (WEATHER, ""),
    (WEATHER, "{}"),
    (WEATHER, "The weather is fine."),
    (WEATHER, '{"name": "get_wether", "arguments": {"city": "Paris", "days": 3}}'),
    (WEATHER, '{"name": "Get_Weather", "arguments": {"city": "Paris", "days": 3}}'),
    (WEATHER, '{"name": "get_weather", "arguments": {"city": "Lyon", "days": 3}}'),
    (WEATHER, '{"name": "get_weather", "arguments": {"city": "Paris"}}'),
    (WEATHER, '{"name": "get_weather", "arguments": {"city": "Paris", "days": 4}}'),
    (WEATHER, '{"name": "get_weather", "arguments": {"city": "Paris", "days": "3"}}'),
    (WEATHER, '{"name": "get_weather", "arguments": {"city": "Paris", "days": true}}'),
    (WEATHER, '{"name": "get_weather", "arguments": {"city": "Paris", "days": null}}'),
    (WEATHER, '{"name": "get_weather", "arguments": {"city": "Paris", "days": 3, "unit": "C"}}'),
    (WEATHER, '{"name": "get_weather", "arguments": {"City": "Paris", "days": 3}}'),
    (WEATHER, '{"name": "get_weather"}'),
    (WEATHER, '{"name": "get_weather", "arguments": ["Paris", 3]}'),
    (WEATHER, '{"name": "get_weather", "arguments": "Paris"}'),
    (WEATHER, 'get_weather("Paris", 3)'),
    (WEATHER, "get_weather(city=Paris, days=3)"),
    (WEATHER, "get_weather(**{'city': 'Paris', 'days': 3})"),
    (WEATHER, 'get_weather(city="Paris", days=1+2)'),
    (WEATHER, 'get_weather(city=str("Paris"), days=3)'),
    (WEATHER, '{"name": "get_weather", "arguments": {"city": "Paris", "days": 3}'),
    (WEATHER, '[get_weather(city="Paris", days=3), get_weather(city="Paris", days=3)]'),
    (TWO, '{"name": "f", "arguments": {"x": 1}}'),
    (TWO, "[f(x=1), f(x=1)]"),
    (TWO, '[f(x=1), g(y="a"), g(y="a")]'),
    (TWO, '[f(x=2), g(y="a")]'),
    (TWO, '{"f": {"x": 1}, "g": {"y": "a"}}'),
    (POSSIBLE, "[math.area(base=10)]"),
    (POSSIBLE, "[area(base=10, height=5)]"),
    (POSSIBLE, '[math.area(base=10, height=5, unit="cm")]'),
    (POSSIBLE, "[math.area(base=5, height=10)]"),
    (POSSIBLE, "[math.area(base=True, height=5)]"),
    (NESTED, '{"find": {"where": {"near": true}, "tags": ["a", "b"]}}'),
    (NESTED, '{"find": {"where": {"city": "Paris", "far": true}, "tags": ["a", "b"]}}'),
    (NESTED, '{"find": {"where": "Paris", "tags": ["a", "b"]}}'),
    (NESTED, '{"find": {"where": {"city": "Paris"}, "tags": ["a"]}}'),
    (NESTED, '{"find": {"where": {"city": "Paris"}, "tags": "ab"}}'),
]
DEEP = "[" * 50_000
HOSTILE = [
    DEEP,
    '{"a":' * 20_000,
    "(" * 100_000,
    "f(" * 4_000,
    "\x00" * 1000,
    "\ud800",
    "{" * 100_000,
    "```" * 30_000,
    "<tool_call>" * 9_000,
    "f(x=" + "-" * 9_000 + "1)",
]


@pytest.mark.parametrize(("reference", "answer"), RIGHT)
def test_right(reference: str, answer: str) -> None:
    assert make_verifier("json-call").score(Question(prompt="?", answer=reference), answer) == 1.0


@pytest.mark.parametrize(("reference", "answer"), WRONG)
def test_wrong(reference: str, answer: str) -> None:
    assert make_verifier("json-call").score(Question(prompt="?", answer=reference), answer) == 0.0


@pytest.mark.parametrize("answer", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_answers_are_wrong(answer: str) -> None:
    assert make_verifier("json-call").score(Question(prompt="?", answer=WEATHER), answer) == 0.0


def test_order_counts_where_it_is_asked_for() -> None:
    question, turned = Question(prompt="?", answer=TWO), '[g(y="a"), f(x=1)]'
    assert make_verifier("json-call").score(question, turned) == 1.0
    assert make_verifier("json-call", ordered=True).score(question, turned) == 0.0
    assert make_verifier("json-call", ordered=True).score(question, '[f(x=1), g(y="a")]') == 1.0


def test_calls_that_fit_several_references_are_paired() -> None:
    either = json.dumps([{"f": {"x": [1, 2]}}, {"f": {"x": [1]}}])
    assert make_verifier("json-call").score(Question(prompt="?", answer=either), "[f(x=1), f(x=2)]") == 1.0
    assert make_verifier("json-call").score(Question(prompt="?", answer=either), "[f(x=2), f(x=2)]") == 0.0


@pytest.mark.parametrize("reference", ["", "f(x=1)", "[]", "3", '{"name": 1}', '[{"name": "f"}, 2]', DEEP])
def test_a_reference_without_calls_is_refused(reference: str) -> None:
    with pytest.raises(ConfigError, match="needs calls in JSON as the right answer") as caught:
        make_verifier("json-call").score(Question(prompt="?", answer=reference), "f(x=1)")
    assert "\n" not in str(caught.value)
