"""``gym``: reasoning-gym's own scorers, for questions of its datasets.

Source: https://github.com/open-thought/reasoning-gym. The reference is JSON that makes the entry again: ``{"dataset": "chain_sum", "seed":
7, "size": 100, "index": 3, "settings": {"max_terms": 4}}``.

Some of its scorers evaluate the answer as Python, alone or through sympy. readbench runs nothing that a model wrote outside a sandbox, so
these datasets are refused. So are those without answers of their own, one whose scorer accepts any text, and those that ask other
questions in another process.
"""

import functools
import json
import warnings
from typing import Any

from readbench.api import Question, Verifier, verifier
from readbench.base.errors import ConfigError, SurroundingError, near_match
from readbench.suites.verifiers._final import bounded, final_answer, tagged_answer

EVALUATING = frozenset(
    {
        "binary_matrix",
        "countdown",
        "intermediate_integration",
        "n_queens",
        "polynomial_multiplication",
        "puzzle24",
        "simple_integration",
        "spiral_matrix",
        "string_insertion",
    }
)
ANSWERLESS = frozenset({"boxnet", "composite", "graph_color", "propositional_logic", "rubiks_cube", "rush_hour"})
LENIENT = frozenset({"game_of_life_halting"})  # 0.1.25 gives 1 to any text
UNSTABLE = frozenset({"codeio", "isomorphic_strings", "list_functions", "ransom_note"})  # 0.1.25: the seed does not settle the question
UNSETTLED = frozenset({"knight_swap", "word_ladder"})  # of several right answers the dataset's own is another in another process


class Gym:
    """Scores by the dataset that the question is from."""

    def score(self, question: Question, answer: str) -> float:
        """The scorer's value in [0, 1] for the text in the last <answer> tags, else for the final answer or the whole text."""
        dataset, entry = _entry(question.reference)
        text = bounded(answer)
        tagged = tagged_answer(text)
        candidates = [tagged] if tagged else [final_answer(text), text.strip()]
        return max(_score(dataset, entry, each) for each in candidates)


def _score(dataset: Any, entry: dict[str, Any], answer: str) -> float:
    try:
        return min(1.0, max(0.0, float(dataset.score_answer(answer, entry))))
    except Exception:  # a scorer that trips over a text: the text is no answer
        return 0.0


def make_dataset(name: str, *, seed: int, size: int, settings: dict[str, Any]) -> Any:
    """A dataset of reasoning-gym; ConfigError for an unknown or refused one, SurroundingError without the package."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the code of its dependencies
            import reasoning_gym
            from reasoning_gym.factory import DATASETS
    except ImportError as error:
        raise SurroundingError(f"gym needs {error.name}, which is not installed", hint="pip install 'readbench[gym]'") from None
    if name not in DATASETS:
        raise ConfigError(f"unknown gym dataset {name!r}", hint=near_match(name, DATASETS))
    if name in EVALUATING:
        raise ConfigError(f"gym dataset {name!r} evaluates answers as Python, and readbench does not run what a model wrote")
    if name in ANSWERLESS:
        raise ConfigError(f"gym dataset {name!r} has no answers of its own")
    if name in LENIENT:
        raise ConfigError(f"gym dataset {name!r} scores wrong answers as right")
    if name in UNSTABLE:
        raise ConfigError(f"gym dataset {name!r} asks other questions in every process, whatever the seed")
    try:
        return reasoning_gym.create_dataset(name, seed=seed, size=size, **settings)
    except (TypeError, ValueError, AssertionError) as error:
        raise ConfigError(f"gym dataset {name!r} cannot have these settings: {error}") from None


def level_settings(name: str, count: int) -> list[dict[str, Any]]:
    """The settings of the first `count` levels in a dataset's curriculum, its last level again if it has fewer; ConfigError without one."""
    make_dataset(name, seed=0, size=1, settings={})  # says what is wrong with the name
    from reasoning_gym.factory import DATASETS, create_curriculum, has_curriculum

    if not has_curriculum(name):
        raise ConfigError(
            f"gym dataset {name!r} has no curriculum", hint="give its settings when easy, medium and hard: levels: [{…}, {…}, {…}]"
        )
    curriculum = create_curriculum(name)
    standard = vars(DATASETS[name][1]())
    chosen = []
    for level in range(count):
        for attribute, values in curriculum.attributes.items():
            curriculum.set_attr_level(attribute, min(level, len(values.levels) - 1))
        settings = vars(curriculum.generate_configuration())
        chosen.append({k: v for k, v in settings.items() if k not in ("seed", "size") and v != standard[k]})
    return json.loads(json.dumps(chosen))  # type: ignore[no-any-return] # as a reference holds them


@functools.lru_cache(maxsize=4096)
def _entry(reference: str) -> tuple[Any, dict[str, Any]]:
    """The dataset and the entry that a reference names."""
    try:
        document = json.loads(reference)
        name, seed, size, index, settings = (document[key] for key in ("dataset", "seed", "size", "index", "settings"))
        sound = isinstance(name, str) and all(type(n) is int for n in (seed, size, index)) and isinstance(settings, dict)
        sound = sound and 0 <= index < size
    except (ValueError, RecursionError, TypeError, KeyError):
        sound = False
    if not sound:
        raise ConfigError(f"verifier gym needs a reference with dataset, seed, size, index and settings, not {reference!r:.60}")
    dataset = make_dataset(name, seed=seed, size=size, settings=settings)
    return dataset, dataset[index]


@verifier("gym")
def gym() -> Verifier:
    """reasoning-gym's own scorers; datasets whose scorer evaluates the answer as Python are refused."""
    return Gym()
