"""What objectives cost, and what they bring: speed as ratios in one process, and a table of lab runs at equal charged tokens.

    python benchmarks/objectives.py speed                        # two minutes, one thread
    python benchmarks/objectives.py run FOLDER                   # about forty minutes on two cores; an interrupted one goes on
    python benchmarks/objectives.py table FOLDER
    python benchmarks/objectives.py commands > benchmarks/objectives.sh       # the runs as plain commands

`speed` takes optimiser steps of each objective on the same sequences (lab student and teacher) and gives their time against `sft`, and
tokens that the student samples a second, eight answers to each prompt, against `transformers.generate` with the same prompts, temperature
and length. `run` has the
allocator `task-static` and the seeds 600 to 604; no setting of an objective was chosen on them. "warm" is half of the intervals on the
teacher's text first (`warmup`). The last run of a suite, of three objectives with three budgets, shows utility against budget.
"""

import argparse
import shlex
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from readbench.api import Objective
from readbench.base.plugins import make
from readbench.models.batches import Batch, Encoded, chunks_by_length, collate
from readbench.models.folder import resolve_model
from readbench.models.language_model import LanguageModel
from readbench.models.writing.sampling import Sampling
from readbench.results.document.model import CompleteTrial
from readbench.results.document.reading import load
from readbench.results.scores import metric_values
from readbench.results.stats.paired import paired_difference
from readbench.students.passes import Outcomes
from readbench.students.schedule import TrainingConfig
from readbench.students.student import Student
from readbench.suites.prompts import held_out_questions
from readbench.suites.suite import load_suite

SUITES, SEEDS = ("tool-use", "reasoning"), "600,601,602,603,604"
COMPARED, BUDGETS = "sft,forward-kl,reverse-kl", "3e4,6e4,12e4"
WARM = "warmup=0.5"
RUNS: dict[str, tuple[str, str]] = {  # shown as: objective, parameter
    "sft": ("sft", ""),
    "filtered-sft": ("filtered-sft", ""),
    "forward-kl": ("forward-kl", ""),
    "reverse-kl": ("reverse-kl", ""),
    "reverse-kl, own answers": ("reverse-kl", "own_share=1.0"),
    "on-policy-kl": ("on-policy-kl", ""),
    "on-policy-kl, warm": ("on-policy-kl", WARM),
    "grpo": ("grpo", ""),
    "grpo, warm": ("grpo", WARM),
    "kdrl": ("kdrl", ""),
    "kdrl, warm": ("kdrl", WARM),
    "rlad": ("rlad", ""),
    "rlad, warm": ("rlad", WARM),
}
STEPPED = ("sft", "forward-kl", "reverse-kl", "jsd", "top-k", "tail-aware", "grpo", "kdrl", "rlad", "on-policy-kl")
SAMPLED = frozenset({"grpo", "kdrl", "rlad", "on-policy-kl"})
SEQUENCES, NEW_TOKENS, ROUNDS = 256, 32, 5
GROUP = 8  # answers to a prompt
TOP = 16  # tokens that `top-k` reads


def place(base: Path, suite: str, name: str) -> Path:
    return base / suite / f"{list(RUNS).index(name):02}"


def commands(base: Path) -> list[tuple[Path, list[str]]]:
    """Every run's directory and its arguments."""
    found = []
    for suite in SUITES:
        shared = ["run", "--suite", suite, "--allocators", "task-static", "--seeds", SEEDS]
        for name, (objective, parameter) in RUNS.items():
            params = ["--set", f"params.objective.{objective}.{parameter}"] if parameter else []
            found.append((place(base, suite, name), [*shared, "--objective", objective, *params]))
        found.append((base / suite / "budgets", [*shared, "--objectives", COMPARED, "--budgets", BUDGETS]))
    return found


def run(base: Path) -> None:
    for out, fresh in commands(base):
        again = ["resume", str(out)] if (out / "run.json").is_file() else [*fresh, "--out", str(out)]
        subprocess.run(["readbench", *again], check=True)


def show_commands() -> None:
    print(
        "# The runs of docs/results.md#objectives; python benchmarks/objectives.py run FOLDER makes the same, and goes on where it stopped."
    )
    for out, fresh in commands(Path("objectives")):
        print(shlex.join(["readbench", *fresh, "--out", str(out)]))


def table(base: Path) -> None:
    for suite in SUITES:
        print(
            f"\n### {suite}\n\n| objective | utility | against `sft` | steps right | generated | trained | rollout | scored "
            "| reward, last interval | groups all alike |\n|---|---|---|---|---|---|---|---|---|---|"
        )
        reference = metric_values(load(place(base, suite, "sft")))["task-static"]["utility"]
        for name in RUNS:
            if not (place(base, suite, name) / "results.json").is_file():
                continue
            results = load(place(base, suite, name))
            utility = metric_values(results)["task-static"]["utility"]
            difference = None if name == "sft" else paired_difference(utility, reference)
            against = ""
            if difference is not None and difference.interval is not None:
                against = f"{difference.mean:+.3f} ({difference.interval[0]:+.3f} to {difference.interval[1]:+.3f})"
            done = results.complete
            tokens = [f"{statistics.fmean(getattr(trial.tokens, kind) for trial in done):,.0f}" for kind in KINDS]
            last = [trial.intervals[-1].figures for trial in done]
            figures = [f"{statistics.fmean(each[figure] for each in last):.2f}" if figure in last[0] else "" for figure in FIGURES]
            spread = f"{statistics.fmean(utility.values()):.3f} ± {statistics.stdev(utility.values()):.3f}"
            steps = f"{statistics.fmean(trial.metrics.step_accuracy for trial in done):.3f}"
            print(f"| {' | '.join([f'`{name}`', spread, against, steps, *tokens, *figures])} |")


def budgets_table(base: Path) -> None:
    """Utility by objective and budget, and the tokens of the teacher's answers in a trial."""
    print("\n### by budget\n\n| suite | objective | budget | utility | generated | trained | scored |\n|---|---|---|---|---|---|---|")
    for suite in SUITES:
        if not (base / suite / "budgets" / "results.json").is_file():
            continue
        places: dict[tuple[str, int], list[CompleteTrial]] = {}
        for trial in load(base / suite / "budgets").complete:
            places.setdefault((trial.objective, trial.budget_tokens), []).append(trial)
        for (objective, budget), trials in places.items():
            utilities = [trial.metrics.utility for trial in trials]
            tokens = [
                f"{statistics.fmean(getattr(trial.tokens, kind) for trial in trials):,.0f}" for kind in ("generated", "trained", "scored")
            ]
            spread = f"{statistics.fmean(utilities):.3f} ± {statistics.stdev(utilities):.3f}"
            print(f"| {' | '.join([suite, f'`{objective}`', f'{budget:,}', spread, *tokens])} |")


KINDS, FIGURES = ("generated", "trained", "rollout", "scored"), ("reward", "equal_groups")


def speed() -> None:
    torch.set_num_threads(1)
    student, teacher = (LanguageModel.load(resolve_model(f"lab/{name}"), device="cpu") for name in ("student", "teacher"))
    prompts = [question.prompt for each in held_out_questions(load_suite("generalist").sources(), "dev", 32, "speed") for question in each]
    rendered = student.render(prompts)[:SEQUENCES]
    seeds = list(range(len(rendered)))
    writer = student.writer()
    written = writer.sample(rendered, seeds, sampling=Sampling(), max_new_tokens=NEW_TOKENS)
    examples = [Encoded((*ids, *answer.ids), len(ids)) for ids, answer in zip(rendered, written, strict=True)]
    rng = np.random.default_rng(0)
    scores = teacher.label_log_probabilities(examples)
    outcomes = Outcomes(
        reward=rng.integers(0, 2, len(examples)).astype(float), advantage=rng.normal(size=len(examples)), teacher_logprob=scores
    )
    made = {name: _student(make("objective", name), teacher) for name in STEPPED}
    steps = {name: _stepping(made[name], name, examples, outcomes, teacher) for name in STEPPED}
    seconds = _timed(steps)
    reading = _timed(
        {
            "logits": lambda: _logits(teacher, examples),
            "scores": lambda: teacher.label_log_probabilities(examples),
            "top": lambda: teacher.label_top(examples, TOP),
        }
    )
    print(f"a pass over {len(examples)} sequences of {sum(len(e.tokens) for e in examples)} tokens; the teacher's reading is part of it")
    print("| objective | seconds | against `sft` | without the teacher's reading |\n|---|---|---|---|")
    for name in STEPPED:
        read = 0.0 if name in ("sft", "grpo") else reading["scores" if name in SAMPLED else "top" if name == "top-k" else "logits"]
        print(f"| `{name}` | {seconds[name]:.2f} | {seconds[name] / seconds['sft']:.2f} | {(seconds[name] - read) / seconds['sft']:.2f} |")
    groups = [ids for ids in rendered[::GROUP] for _ in range(GROUP)]
    answers = writer.sample(groups, seeds, sampling=Sampling(), max_new_tokens=NEW_TOKENS)
    sampling = _timed(
        {
            "readbench": lambda: writer.sample(groups, seeds, sampling=Sampling(), max_new_tokens=NEW_TOKENS),
            "transformers": lambda: _library(student, groups),
        }
    )
    ours = sum(len(answer.ids) for answer in answers) / sampling["readbench"]
    theirs = _library(student, groups) / sampling["transformers"]
    print(f"\nsampled tokens a second: {ours:.0f}, transformers.generate {theirs:.0f}: {ours / theirs:.1f} times")


def _student(objective: Objective, teacher: LanguageModel) -> Student:
    def logits(batch: Batch, capabilities: Sequence[int]) -> torch.Tensor:  # noqa: ARG001 - one teacher teaches all
        with torch.no_grad():
            return teacher.label_logits(batch)

    return Student.load(
        resolve_model("lab/student"), training=TrainingConfig(learning_rate=1e-6), objective=objective, device="cpu", teacher=logits
    )


def _logits(model: LanguageModel, examples: list[Encoded]) -> None:
    """A divergence's reading: the logits of the same steps."""
    with torch.no_grad():
        for chunk in chunks_by_length([len(example.tokens) for example in examples], TrainingConfig().step_tokens):
            model.label_logits(collate([examples[index] for index in chunk], model.device))


def _stepping(student: Student, name: str, examples: list[Encoded], outcomes: Outcomes, teacher: LanguageModel) -> Callable[[], object]:
    own = name in SAMPLED

    def step() -> None:
        if own and name != "grpo":
            teacher.label_log_probabilities(examples)  # what a trial does once a round
        given = outcomes if own else Outcomes(teacher_top=teacher.label_top(examples, TOP)) if name == "top-k" else None
        student.train(examples, progress=(0.1, 0.1), seed=0, outcomes=given, own=own)

    return step


def _timed(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds; the calls take turns, so that a slow minute slows all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(found[1:]) for name, found in seconds.items()}


def _library(model: LanguageModel, rendered: list[tuple[int, ...]]) -> int:
    """The tokens that transformers.generate samples, without what follows an end."""
    width, pad = max(map(len, rendered)), model.tokenizer.pad_token_id or model.tokenizer.eos_token_id or 0
    inputs = torch.tensor([[pad] * (width - len(ids)) + list(ids) for ids in rendered])
    mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in rendered])
    torch.manual_seed(0)
    written = model.network.generate(  # type: ignore[operator]
        input_ids=inputs, attention_mask=mask, max_new_tokens=NEW_TOKENS, do_sample=True, temperature=1.0, top_k=0, pad_token_id=pad
    )[:, width:]
    return int((written != pad).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("speed", "run", "table", "commands"))
    parser.add_argument("folder", type=Path, nargs="?", default=Path("objectives"))
    arguments = parser.parse_args()
    if arguments.what == "speed":
        speed()
    elif arguments.what == "commands":
        show_commands()
    elif arguments.what == "run":
        run(arguments.folder)
    else:
        table(arguments.folder)
        budgets_table(arguments.folder)


if __name__ == "__main__":
    main()
