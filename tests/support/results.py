"""A small results document, its parts, and documents as typed results without any check."""

import dataclasses
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from readbench.results.document.model import CompleteTrial, Results, TrialResult, UnfinishedTrial

CAPABILITIES = ("math", "code", "tool_use")


def trial(allocator: str, seed: int, utility: float, *, share: float = 0.5) -> dict[str, Any]:
    before = dict.fromkeys(CAPABILITIES, 0.25)
    after = {"math": 0.5, "code": 0.25, "tool_use": 0.125}
    shares = {"math": share, "code": 1 - share, "tool_use": 0.0}
    return {
        "id": f"{len(allocator):08x}{seed:08x}",
        "allocator": allocator,
        "params": {},
        "objective": "sft",
        "seed": seed,
        "status": "complete",
        "failure": None,
        "budget_tokens": 10_000,
        "dev_utility_before": 0.25,
        "tokens": {"generated": 1_900, "trained": 8_000, "scored": 0, "rollout": 0, "probe": 300, "dev": 200, "eval": 100, "pilot": 0},
        "metrics": {
            "utility": utility,
            "utility_before": 0.25,
            "step_accuracy": utility,
            "utility_gain": utility - 0.25,
            "profile_gain": 0.125,
            "spillover": 0.03,
            "collateral": 0.125,
            "waste": 0.5,
            "auc": 0.4,
        },
        "profile": {"before": before, "after": after},
        "exact_match": {"before": before, "after": after},
        "allocation": shares,
        "intervals": [
            {
                "interval": 0,
                "requested": shares,
                "allocation": shares,
                "examples": {"math": 3, "code": 2, "tool_use": 0},
                "verified": {"math": 3, "code": 1, "tool_use": 0},
                "unverified": {},
                "tokens": {"generated": 1_900, "trained": 8_000, "scored": 0, "rollout": 0, "probe": 150, "dev": 100},
                "profile": after,
                "exact_match": after,
                "dev_utility": 0.4,
                "train_loss": {"math": 1.5, "code": 0.5, "tool_use": None},
                "reward": 0.125,
                "figures": {},
                "epsilon": 0.01,
                "expected": None,
            }
        ],
        "answers": {"math": "4", "code": "ok", "tool_use": f"{allocator}?"},
        "seconds": {"total": 2.0, "teacher": 0.5, "train": 1.0, "probe": 0.25, "eval": 0.125, "allocator": 0.0, "rollout": 0.0},
    }


def move(document: dict[str, Any], *, objective: str | None = None, budget_tokens: int | None = None) -> None:
    """Puts the document's trials elsewhere in the grid."""
    for trial_ in document["trials"]:
        trial_.update({} if objective is None else {"objective": objective})
        trial_.update({} if budget_tokens is None else {"budget_tokens": budget_tokens})
    document["config"] |= {} if objective is None else {"objectives": [objective]}
    document["config"] |= {} if budget_tokens is None else {"budgets": [budget_tokens]}


def document_of(
    trials: list[dict[str, Any]],
    *,
    requirement: Mapping[str, float],
    allocators: Sequence[str],
    seeds: Sequence[int],
    num_intervals: int,
    budget_tokens: int = 10_000,
) -> dict[str, Any]:
    """The results document of a run with these trials; the capabilities are those of the requirement."""
    return {
        "schema": 1,
        "run": "a-run",
        "suite": {
            "name": "tiny",
            "version": 1,
            "capabilities": list(requirement),
            "requirement": dict(requirement),
            "margins": {"utility": 0.02},
            "card": dict(requirement),
        },
        "config": {
            "suite": "tiny",
            "allocators": list(allocators),
            "seeds": list(seeds),
            "budgets": [budget_tokens],
            "num_intervals": num_intervals,
            "objectives": ["sft"],
            "teacher": "lab/teacher",
            "student": "lab/student",
            "max_new_tokens": 16,
            "num_probes": 4,
            "num_dev": 4,
            "dev_every": 1,
            "requirement": "card",
            "identifier": "",
            "pilots": {"num": 24, "tokens": 20_000, "num_probes": 160, "draw": 0, "trials": 3, "charged": False},
            "params": {},
            "teacher_chat": {"system": "", "template_args": {}},
            "student_chat": {"system": "", "template_args": {}},
            "training": {
                "learning_rate": 5e-4,
                "warmup_share": 0.02,
                "final_lr_share": 0.1,
                "step_tokens": 1024,
                "micro_tokens": 0,
                "checkpointing": False,
                "weights": "float32",
                "products": "float32",
                "optimizer": "adamw",
                "compile": False,
                "lora": {"rank": 0, "alpha": 32.0, "targets": "all-linear"},
                "weight_decay": 0.0,
                "beta1": 0.9,
                "beta2": 0.95,
                "clip_norm": 1.0,
            },
        },
        "environment": {"python": "3.11", "fingerprint": {"measured": "0" * 32, "torch": "2.13.0", "device": "cpu"}},
        "pilots": None,
        "profiling": None,
        "provenance": dict.fromkeys(("suite", "data", "code", "teacher", "student"), "0" * 32),
        "start": {
            "utility": 0.25,
            "teacher_profile": dict.fromkeys(requirement, 0.97),
            "tokens": {"probe": 100, "eval": 100},
            "examples": [{"capability": c, "prompt": f"{c}: 2+2", "answer": "4", "teacher": "4", "before": "5"} for c in requirement],
        },
        "trials": trials,
    }


def small_document() -> dict[str, Any]:
    """Two allocators with three seeds: `read` is ahead by 0.08, 0.10 and 0.12. A new copy each time."""
    utilities = {"uniform": (0.50, 0.52, 0.48), "read": (0.58, 0.62, 0.60)}
    return document_of(
        [trial(name, seed, value) for name, values in utilities.items() for seed, value in enumerate(values)],
        requirement={"math": 0.75, "code": 0.25, "tool_use": 0.0},
        allocators=tuple(utilities),
        seeds=(0, 1, 2),
        num_intervals=1,
    )


def parsed(document: dict[str, Any]) -> Results:
    """The document as typed results, whatever it holds: gives readers of results values that no check would let pass."""
    results: Results = _made(Results, document)
    return results


def parsed_trial(document: dict[str, Any]) -> TrialResult:
    """Likewise for one trial."""
    trial: TrialResult = _made(TrialResult, document)
    return trial


def _made(kind: Any, value: Any) -> Any:
    if get_origin(kind) is Annotated:
        return _made(get_args(kind)[0], value)
    if kind == TrialResult:
        return _made(CompleteTrial if value["status"] == "complete" else UnfinishedTrial, value)
    if get_origin(kind) in (Union, types.UnionType):
        choices = [each for each in get_args(kind) if each is not types.NoneType]
        return _made(choices[0], value) if value is not None and len(choices) == 1 else value
    if get_origin(kind) is tuple:
        return tuple(_made(get_args(kind)[0], each) for each in value)
    if get_origin(kind) is dict:
        return {key: _made(get_args(kind)[1], each) for key, each in value.items()}
    return _made_object(kind, value) if dataclasses.is_dataclass(kind) else value


def _made_object(kind: Any, value: dict[str, Any]) -> Any:
    made = object.__new__(kind)
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        default = field.default_factory() if callable(field.default_factory) else field.default
        given = _made(hints[field.name], value[field.name]) if field.name in value else default
        object.__setattr__(made, field.name, given)
    return made
