"""A results document as a real run leaves it (three allocators, four seeds, five intervals, five capabilities), made from a seed."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from support.results import document_of, parsed

CAPABILITIES = ("math", "code", "tool_use", "reasoning", "general_knowledge")
REQUIREMENT = (0.6, 0.0, 0.0, 0.4, 0.0)
LEANINGS = {"uniform": (1, 1, 1, 1, 1), "read": (4, 1, 1, 3, 1), "one-hot": (1, 0, 0, 0, 0)}
NUM_SEEDS, NUM_INTERVALS, BUDGET = 4, 5, 10_000
UNFINISHED = dict.fromkeys(("tokens", "metrics", "profile", "exact_match", "allocation", "answers", "seconds"))

# Everything that a page might obey: markup, templates, ends of the elements that it stands in, URLs, formulas, control characters,
# reversed writing, a surrogate without its other half, words without an end.
HOSTILE = (
    "<script>window.__pwned = 1</script>",
    '"><img src=x onerror="window.__pwned = 2">',
    "</title></style></script><svg onload='window.__pwned = 3'>",
    "{{ 7 * 7 }}{% for x in y %}{# c #}",
    "]]><!-- --> <![CDATA[ <b>",
    "javascript:window.__pwned=4",
    "https://example.invalid/beacon.png",
    "$\\frac{1}{0}$ \\href{javascript:alert(1)}{x}",
    "\x00\x1b[31m\x07\x7f\x85",
    "\u202egnirts\u202c \u2066\u200f\u200b",
    "half a pair \ud800 and \udfff",
    "مرحبا 世界 🦜 ﷽ Z͑ͫ̓ͪ̂ͫ̽͏̴̙",
    "W" * 300,
    "line\none\r\ntwo\ttab",
    "' onmouseover='window.__pwned=5' style='position:fixed;inset:0'",
    "&lt;b&gt;&amp;#60;",
)


def make_trial(rng: np.random.Generator, allocator: str, seed: int) -> dict[str, Any]:
    """A trial in which tokens raise their own score and lower the last one a little."""
    leaning = np.array(LEANINGS[allocator], dtype=float)
    profile = np.full(len(CAPABILITIES), 0.3)
    before, intervals, spent = profile.copy(), [], np.zeros(len(CAPABILITIES))
    for index in range(NUM_INTERVALS):
        shares = rng.dirichlet(leaning * 5 + 1e-3)
        charged = 1_990 + int(rng.integers(0, 10))
        profile = np.clip(profile + 0.2 * shares - np.array([0, 0, 0, 0, 0.05]) * shares[0] + rng.normal(0, 0.01, len(CAPABILITIES)), 0, 1)
        spent += shares * charged
        intervals.append(_interval(index, shares, charged, profile))
    utility = float(np.dot(REQUIREMENT, profile))
    return {
        "id": f"{len(allocator):08x}{seed:08x}",
        "allocator": allocator,
        "params": {},
        "objective": "sft",
        "seed": seed,
        "status": "complete",
        "failure": None,
        "budget_tokens": BUDGET,
        "dev_utility_before": float(np.dot(REQUIREMENT, before)),
        "tokens": {
            "generated": 1_000,
            "trained": int(spent.sum()) - 1_000,
            "scored": 0,
            "rollout": 0,
            "probe": 300,
            "dev": 200,
            "eval": 100,
            "pilot": 0,
        },
        "metrics": {
            "utility": utility,
            "utility_before": 0.25,
            "step_accuracy": utility,
            "utility_gain": utility - 0.25,
            "profile_gain": float(np.dot(REQUIREMENT, profile - before)),
            "spillover": float(rng.uniform(0, 0.1)),
            "collateral": float(max(0.0, before[4] - profile[4]) / 3),
            "waste": float(rng.uniform(0, 0.5)),
            "auc": utility * 0.8,
        },
        "profile": {"before": _named(before), "after": _named(profile)},
        "exact_match": {"before": _named(before), "after": _named(profile)},
        "allocation": _named(spent / spent.sum()),
        "intervals": intervals,
        "answers": {c: "4" if rng.random() < 0.5 else f"{allocator}?" for c in CAPABILITIES},
        "seconds": {
            "total": 2.0 + float(rng.random()),
            "teacher": 0.5,
            "train": 1.0,
            "probe": 0.25,
            "eval": 0.125,
            "allocator": 0.0,
            "rollout": 0.0,
        },
    }


def _named(values: npt.NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(CAPABILITIES, values.tolist(), strict=True))


def _interval(index: int, shares: npt.NDArray[np.float64], charged: int, profile: npt.NDArray[np.float64]) -> dict[str, Any]:
    return {
        "interval": index,
        "requested": _named(shares),
        "allocation": _named(shares),
        "examples": dict.fromkeys(CAPABILITIES, 3),
        "verified": dict.fromkeys(CAPABILITIES, 3),
        "unverified": {},
        "tokens": {"generated": 200, "trained": charged - 200, "scored": 0, "rollout": 0, "probe": 50, "dev": 40},
        "profile": _named(profile),
        "exact_match": _named(profile),
        "dev_utility": float(np.dot(REQUIREMENT, profile)),
        "train_loss": dict.fromkeys(CAPABILITIES, 1.5),
        "reward": 0.1,
        "epsilon": 0.01,
        "figures": {},
        "expected": None,
    }


def make_document() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    document = document_of(
        [make_trial(rng, name, seed) for name in LEANINGS for seed in range(NUM_SEEDS)],
        requirement=dict(zip(CAPABILITIES, REQUIREMENT, strict=True)),
        allocators=tuple(LEANINGS),
        seeds=range(NUM_SEEDS),
        num_intervals=NUM_INTERVALS,
        budget_tokens=BUDGET,
    )
    document["environment"]["command"] = ["readbench", "run", "--suite", "tiny"]
    return document


def make_hostile(document: dict[str, Any]) -> dict[str, Any]:
    """The document with a hostile string wherever a string may stand."""
    strings = iter(HOSTILE * 40)
    names = {name: f"{next(strings)} {name}" for name in (*CAPABILITIES, *LEANINGS)}

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {names.get(key, key): renamed(item) for key, item in value.items()}
        if isinstance(value, list):
            return [renamed(item) for item in value]
        return names.get(value, value) if isinstance(value, str) else value

    hostile: dict[str, Any] = renamed(copy.deepcopy(document))
    hostile["run"], hostile["suite"]["name"] = next(strings), next(strings)
    for key in ("teacher", "student", "suite", "objective"):
        hostile["config"][key] = next(strings)
    for key in hostile["provenance"]:
        hostile["provenance"][key] = next(strings)
    hostile["environment"] = {next(strings): next(strings), "command": list(HOSTILE)}
    for index, example in enumerate(hostile["start"]["examples"]):
        said = [HOSTILE[(index + offset) % len(HOSTILE)] for offset in range(4)]
        example["prompt"], example["answer"], example["teacher"], example["before"] = "\n".join(HOSTILE), *said[1:]
    for trial in hostile["trials"]:
        for interval in trial["intervals"]:
            interval["figures"] = dict.fromkeys(HOSTILE, 0.5)
        trial["answers"] = {capability: next(strings) for capability in trial["answers"]}
        trial["id"] = next(strings)
    hostile["trials"][0] |= {"status": "failed", "failure": "\n".join(HOSTILE)} | UNFINISHED
    return hostile


@pytest.fixture
def document() -> dict[str, Any]:
    return make_document()


@pytest.fixture
def hostile(document: dict[str, Any]) -> dict[str, Any]:
    return make_hostile(document)


@pytest.fixture
def only(document: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """The document with only the trials of these allocators and seeds."""

    def call(*allocators: str, seeds: int) -> dict[str, Any]:
        kept = [t for t in document["trials"] if t["allocator"] in allocators and t["seed"] < seeds]
        return document | {"trials": kept}

    return call


@pytest.fixture(scope="session")
def page() -> str:
    """The page of the document, made once."""
    from readbench.views.report.page import build

    return build(parsed(make_document()))


@pytest.fixture(scope="session")
def hostile_page() -> str:
    from readbench.views.report.page import build

    return build(parsed(make_hostile(make_document())))
