"""Scores finished students again on a changed test set, without training: costs and profiles stay, utilities are new.

Only the test set may change. The capabilities, their requirement and the rest of the suite must match the run's: profiles,
spillover and waste were measured with them.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from readbench.base.errors import ConfigError, IncompleteRunError
from readbench.models.folder import resolve_model
from readbench.models.language_model import LanguageModel
from readbench.results.document.building import check_student, gather
from readbench.results.document.model import CompleteTrial, Results, TrialResult
from readbench.suites.evaluation.evaluate import Evaluation, evaluate
from readbench.suites.grading import Grader
from readbench.suites.suite import Suite


def rescore(run_dir: Path, suite: Suite, *, student: str, device: str, observe: Callable[[str], None]) -> Results:
    """The run's results with the utility of every finished student, and of the untrained one, on the suite's current test set.

    Writes nothing. `student` is the reference of the untrained one; `observe` receives progress messages. ConfigError if more
    than the test set has changed; DamagedError if a student differs from what its trial saved; IncompleteRunError if no
    student is finished.
    """
    results = gather(run_dir)
    _check_same_but_for_the_test(results, suite)
    if results.start is None or not results.complete:
        raise IncompleteRunError(f"{run_dir} has no finished student", hint=f"readbench resume {run_dir}")
    config, joint = results.config, suite.composition is not None
    grader = Grader(config.params.get("verifier", {}))

    training = config.training

    def score(folder: Path, name: str) -> Evaluation:
        model = LanguageModel.load(folder, device=device, chat=config.student_chat, weights=training.weights, products=training.products)
        evaluation = evaluate(model, suite, grader, max_new_tokens=config.max_new_tokens)
        observe(f"{name}: utility {evaluation.utility:.3f} on {evaluation.n} {'items' if joint else 'questions'}")
        return evaluation

    untrained = score(resolve_model(student), "untrained student")
    trials: list[TrialResult] = []
    for trial in results.trials:
        if isinstance(trial, CompleteTrial):
            check_student(run_dir / "trials" / trial.id)
            trained = score(run_dir / "trials" / trial.id / "student", f"{trial.allocator}, seed {trial.seed}")
            gained = replace(
                trial.metrics,
                utility=trained.utility,
                step_accuracy=trained.step_accuracy,
                utility_before=untrained.utility,
                utility_gain=trained.utility - untrained.utility,
            )
            trials.append(replace(trial, metrics=gained, tokens=replace(trial.tokens, eval=trained.tokens)))
        else:
            trials.append(trial)
    return replace(
        results,
        suite=replace(results.suite, version=suite.config.version),
        provenance=replace(results.provenance, suite=suite.content_hash()),
        start=replace(results.start, utility=untrained.utility, tokens=replace(results.start.tokens, eval=untrained.tokens)),
        trials=tuple(trials),
    )


def _check_same_but_for_the_test(results: Results, suite: Suite) -> None:
    card = results.suite.card or results.suite.requirement  # an inferred requirement is not the suite's
    then = {"name": results.suite.name, "capabilities": results.suite.capabilities, "requirement": card}
    requirement = dict(zip(suite.capabilities, suite.requirement.tolist(), strict=True))
    now = {"name": suite.name, "capabilities": suite.capabilities, "requirement": requirement}
    for key, value in then.items():
        if now[key] != value:
            raise ConfigError(f"the suite's {key} was {value}, is now {now[key]}", hint="only the test set may change: run the suite anew")
