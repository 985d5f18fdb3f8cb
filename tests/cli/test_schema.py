"""The JSON schema of results.json accepts what readbench writes, and nothing that it must never write."""

import copy
import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from readbench.results.document.reading import json_schema

Validator = jsonschema.Draft202012Validator


SCHEMA = files("readbench.results") / "schemas" / "results-1.json"


def test_the_packaged_schema_is_the_one_of_the_types() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json_schema(), "write json_schema() into the file"


@pytest.fixture(scope="module")
def validator() -> Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Validator.check_schema(schema)
    return Validator(schema)


def test_schema_accepts_a_complete_run(validator: Validator, document: dict[str, Any]) -> None:
    validator.validate(document)


def test_schema_accepts_a_failed_trial_and_one_that_never_began(validator: Validator, document: dict[str, Any]) -> None:
    nothing = dict.fromkeys(("tokens", "metrics", "profile", "exact_match", "allocation", "seconds", "answers"))
    document["trials"][0] |= {"status": "failed", "failure": "the loss is not finite"} | nothing
    document["trials"][1] |= {"status": "incomplete", "failure": None, "intervals": []} | nothing
    document["start"] = None
    validator.validate(document)


def change(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return apply


@pytest.mark.parametrize(
    "spoil",
    [
        change("schema", value=2),
        change("colour", value="red"),
        change("trials", value=[]),
        change("trials", 0, "status", value="done"),
        change("trials", 0, "metrics", value=None),
        change("trials", 0, "metrics", "utility", value=1.5),
        change("trials", 0, "metrics", "beauty", value=0.5),
        change("trials", 0, "profile", "after", "math", value=-0.1),
        change("trials", 0, "tokens", "trained", value=0.5),
        change("trials", 0, "intervals", 0, "allocation", "math", value=2),
        change("trials", 0, "intervals", 0, "seconds", value=1.0),
        change("trials", 0, "seconds", "lunch", value=1.0),
        change("trials", 0, "id", value="../../etc"),
        change("config", "seeds", value=[1, 1]),
        change("suite", "requirement", value={"Math!": 1.0}),
    ],
)
def test_schema_refuses(validator: Validator, document: dict[str, Any], spoil: Callable[[dict[str, Any]], None]) -> None:
    spoilt = copy.deepcopy(document)
    spoil(spoilt)
    assert not validator.is_valid(spoilt)
