"""Test sets made from a suite's own sources: questions of the test split, which is never taught, probed, or used on the way."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

from readbench.api import DIFFICULTIES, Difficulty, Question
from readbench.base.errors import ConfigError
from readbench.base.files import write_bytes
from readbench.base.seeds import derive_seed
from readbench.suites.composition import Composition, held_out_items
from readbench.suites.evaluation.task import read_task
from readbench.suites.splits import LEVELS, normalise, sample_from
from readbench.suites.suite import Suite, load_suite


def sampled_test(suite: Suite, num_items: int) -> str:
    """JSON lines: capabilities by the requirement, difficulties in thirds; of a joint task, items of its composition, a line a step.

    A test that is scored by likelihood needs no verifiers, so its lines name none. ConfigError if a source has too few questions.
    """
    lines = _mixture(suite, num_items) if suite.composition is None else _items(suite, suite.composition, num_items)
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def write_test_set(folder: Path, num_items: int) -> tuple[Path, int]:
    """Writes the test set of the suite in a folder; returns the file and its number of questions.

    ConfigError if the suite names lm-eval's own tasks, or if the file holds another test set: one written by hand is not replaced.
    """
    suite = load_suite(str(folder.resolve()), tested=False)  # absolute: a relative name may be that of a registered suite
    if suite.config.test.lm_eval is not None:
        raise ConfigError(f"{suite.file} names lm-eval's own tasks as its test", hint="to test by a file: test: {generate: test.jsonl}")
    path = suite.folder / (suite.config.test.generate or read_task(suite.task_path)[0].data_file)
    content = sampled_test(suite, num_items).encode()
    if path.exists() and path.read_bytes() not in (b"", content):
        raise ConfigError(f"{path} holds another test set", hint="move it away first")
    write_bytes(path, content)
    return path, content.count(b"\n")


def _mixture(suite: Suite, num_items: int) -> Iterator[dict[str, str | int]]:
    taken: set[str] = set()
    for name, share, source in zip(suite.capabilities, suite.requirement, suite.sources(), strict=True):
        rng = random.Random(derive_seed("lab", "test set", suite.name, name))
        for index in range(round(num_items * share)):
            level = LEVELS[index % len(LEVELS)]
            question = sample_from(source, "test", rng, level, taken)
            taken.add(normalise(question.prompt))
            yield _line(suite, name, level, question)


def _items(suite: Suite, composition: Composition, num_items: int) -> Iterator[dict[str, str | int]]:
    for number, item in enumerate(held_out_items(suite.sources(), "test", composition, num_items, suite.name)):
        for step in item:
            yield {"item": number, **_line(suite, suite.capabilities[step.capability], step.difficulty, step.question)}


def _line(suite: Suite, capability: str, level: Difficulty, question: Question) -> dict[str, str | int]:
    line: dict[str, str | int] = {"capability": capability, "difficulty": DIFFICULTIES[level]}
    line |= {"prompt": question.prompt, "answer": question.answer}
    if suite.config.test.generate is not None:
        line["verifier"] = question.verifier
        line |= {name: text for name in ("reference", "key") if (text := getattr(question, name))}
    return line
