"""The verifier `json-call` on the Berkeley Function Calling Leaderboard: right calls are accepted, changed ones rejected.

    pip download --no-deps bfcl-eval==2026.3.23 && unzip -d bfcl bfcl_eval-*.whl
    python benchmarks/verifiers.py bfcl/bfcl_eval/data/possible_answer

For each question the first possible answer is written as JSON, as OpenAI's tool calls and in Python syntax; all three must be
right. Then the same calls are spoilt in one place each: a function renamed, an argument's value changed, an unknown argument added, a
call repeated. All must be wrong.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from readbench import make_verifier
from readbench.api import Question

SETS = ("simple_python", "multiple", "parallel", "parallel_multiple", "live_simple", "live_multiple", "live_parallel")
Calls = list[dict[str, Any]]  # {"name", "arguments"}


def first(allowed: list[Any]) -> Any:
    """The first value that may be given; objects list allowed values in turn."""
    return plain(next(value for value in allowed if value != ""))


def plain(value: Any) -> Any:
    if isinstance(value, dict) and all(isinstance(values, list) for values in value.values()):
        return {key: first(values) for key, values in value.items() if any(each != "" for each in values)}
    return [plain(each) for each in value] if isinstance(value, list) else value


def gold(possible: list[dict[str, dict[str, list[Any]]]]) -> Calls:
    return [
        {"name": name, "arguments": {key: first(values) for key, values in arguments.items() if any(each != "" for each in values)}}
        for call in possible
        for name, arguments in call.items()
    ]


def written(calls: Calls) -> Iterator[tuple[str, str]]:
    yield "JSON", json.dumps(calls)
    tools = [{"type": "function", "function": call | {"arguments": json.dumps(call["arguments"])}} for call in calls]
    yield "tool calls", json.dumps({"tool_calls": tools})
    texts = [f"{call['name']}({', '.join(f'{key}={value!r}' for key, value in call['arguments'].items())})" for call in calls]
    yield "Python", f"[{', '.join(texts)}]"


def other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1_000_003
        case str():
            return value + " zzz"
        case list():
            return [*value, "zzz"]
        case _:
            return "zzz"


def spoilt(calls: Calls, possible: list[dict[str, dict[str, list[Any]]]]) -> Iterator[tuple[str, Calls]]:
    for n, (call, allowed) in enumerate(zip(calls, possible, strict=True)):
        rest = calls[:n], calls[n + 1 :]
        yield "renamed", [*rest[0], call | {"name": call["name"] + "_x"}, *rest[1]]
        yield "unknown argument", [*rest[0], call | {"arguments": call["arguments"] | {"zzz": 1}}, *rest[1]]
        yield "repeated call", [*calls, call]
        for key, value in call["arguments"].items():
            if other(value) in allowed[call["name"]][key]:
                continue  # of a switch, both positions may be right
            yield "changed argument", [*rest[0], call | {"arguments": call["arguments"] | {key: other(value)}}, *rest[1]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    verifier = make_verifier("json-call")
    print("| set | questions | JSON | tool calls | Python | rejected: renamed | changed | unknown | repeated |")
    print(f"|{'---|' * 9}")
    for name in SETS:
        right: Counter[str] = Counter()
        kept: Counter[str] = Counter()
        tried: Counter[str] = Counter()
        lines = [json.loads(line) for line in (folder / f"BFCL_v4_{name}.json").read_text(encoding="utf-8").splitlines()]
        for line in lines:
            question, calls = Question(prompt="?", answer=json.dumps(line["ground_truth"])), gold(line["ground_truth"])
            for form, text in written(calls):
                right[form] += verifier.score(question, text) == 1.0
            for kind, changed in spoilt(calls, line["ground_truth"]):
                tried[kind] += 1
                kept[kind] += verifier.score(question, json.dumps(changed)) == 0.0
        accepted = " | ".join(f"{right[form] / len(lines):.1%}" for form in ("JSON", "tool calls", "Python"))
        kinds = ("renamed", "changed argument", "unknown argument", "repeated call")
        print(f"| {name} | {len(lines)} | {accepted} | {' | '.join(f'{kept[kind]} of {tried[kind]}' for kind in kinds)} |")


if __name__ == "__main__":
    main()
