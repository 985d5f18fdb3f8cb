"""A trial's environment with a real student of a few thousand weights: what it measures, shows, buys and hands back after a stop."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from readbench._core import Ledger, Scheduler
from readbench.api import Chain, RewardTerms
from readbench.base.errors import TrialFailure
from readbench.base.seeds import derive_seed
from readbench.students.student import Student
from readbench.suites.evaluation.evaluate import Evaluation
from readbench.suites.probes import DevScore, Profile
from readbench.trials.environments import distillation
from readbench.trials.environments.base import Step
from readbench.trials.environments.distillation import Distillation
from readbench.trials.environments.resources import Setting
from readbench.trials.environments.supervision import Supply
from readbench.trials.feedback import standard_error, standard_errors
from readbench.trials.metrics import reward
from support.probes import measure

Make = Callable[..., Distillation]
REQUIREMENT = np.array([0.75, 0.25, 0.0])
ALLOCATION = np.array([0.5, 0.25, 0.25])


def measured(setting: Setting, environment: Distillation, split: Any = "probe") -> Profile:
    return measure(environment._student.model, setting.encoded(split, environment._student.model))


def test_the_problem_is_the_suite_s_and_the_spec_s(make: Make) -> None:
    taught = np.array([0.9, 0.8, 0.7])
    problem, unmeasured = make(taught).problem, make().problem
    assert problem.capabilities == ("math", "code", "tool_use")
    assert (problem.budget_tokens, problem.num_intervals) == (1000, 3)
    assert problem.requirement.tolist() == REQUIREMENT.tolist()
    assert problem.teacher_profile is not None
    assert problem.teacher_profile.tolist() == taught.tolist()
    assert unmeasured.teacher_profile is None
    for shown in (problem.requirement, problem.teacher_profile):
        with pytest.raises(ValueError, match="read-only"):
            shown[0] = 1.0


def test_the_start_is_the_untrained_student_on_the_probes_and_on_the_dev_questions(make: Make, setting: Setting) -> None:
    environment = make()
    start = environment.begin()
    probes, dev = measured(setting, environment), measured(setting, environment, "dev")
    assert start == {
        **probes.record(),
        "probe_scores": [scores.tolist() for scores in probes.scores],
        "dev_utility": 0.75 * dev.score[0] + 0.25 * dev.score[1],
        "dev_exact": 0.75 * dev.exact_match[0] + 0.25 * dev.exact_match[1],
        "dev_soft": float(REQUIREMENT @ dev.soft),
        "tokens": {"probe": probes.tokens, "dev": dev.tokens, "pilot": 0},
    }
    assert [len(scores) for scores in start["probe_scores"]] == [4, 4, 4]
    assert 0 < dev.tokens < probes.tokens


def test_an_allocator_sees_the_profile_the_share_of_the_budget_that_is_left_and_what_came_before(begun: Make, setting: Setting) -> None:
    environment = begun()
    first = environment.observe()
    assert (first.interval, first.budget_left, first.recent) == (0, 1.0, ())
    assert first.profile.tolist() == measured(setting, environment).score.tolist()
    step = environment.step(ALLOCATION)
    second = environment.observe()
    assert second.interval == 1
    assert second.budget_left == (1000 - step.feedback.tokens) / 1000
    assert second.profile.tolist() == measured(setting, environment).score.tolist() == step.feedback.profile_after.tolist()
    assert second.profile.tolist() != first.profile.tolist() == step.feedback.profile_before.tolist()
    assert second.recent == (step.feedback,)
    with pytest.raises(ValueError, match="read-only"):
        second.profile[0] = 1.0


def test_an_allocator_sees_exact_match_and_the_dev_utility_where_it_was_just_measured(begun: Make, make: Make, setting: Setting) -> None:
    environment = begun(dev_every=2)
    seen = [environment.observe()]
    records = []
    for _ in range(2):
        records.append(environment.step(ALLOCATION).record)
        seen.append(environment.observe())
    assert [None if each.dev_utility is None else True for each in seen] == [True, None, True]
    assert seen[2].dev_utility == records[1]["dev_utility"]
    assert seen[2].exact.tolist() == measured(setting, environment).exact_match.tolist()
    again = make(dev_every=2)
    again.restore(make().begin(), records, environment.state()())
    assert (again.observe().dev_utility, again.observe().exact.tolist()) == (seen[2].dev_utility, seen[2].exact.tolist())


def test_a_suite_may_hide_the_dev_utility(begun: Make, setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = begun()
    assert environment.observe().dev_utility is not None
    monkeypatch.setattr(setting.suite, "config", dataclasses.replace(setting.suite.config, show_dev=False))
    assert environment.observe().dev_utility is None


def test_the_problem_tells_the_suite_s_terms(make: Make) -> None:
    told = {"teacher_exact": np.array([1.0, 0.5, 0.0]), "teacher_loss": np.array([0.1, 0.2, 0.3])}
    problem = make(told=told, num_intervals=4).problem
    assert problem.composition == (Chain(steps=(0,), share=0.75), Chain(steps=(1,), share=0.25))  # a mixture's items are single questions
    assert problem.reward == RewardTerms(beta=2.0, cost=0.25, top_k=1)
    assert (problem.num_probes, problem.pilot_tokens) == (4, 0)
    assert [getattr(problem, name).tolist() for name in told] == [each.tolist() for each in told.values()]
    assert problem.learning_rate is not None
    assert problem.learning_rate.shape == (4,)
    assert (np.diff(problem.learning_rate) < 0).all()
    assert make(requirement="pilots").problem.composition is None


def test_it_sees_the_last_eight_intervals_also_after_a_stop(make: Make) -> None:
    environment = make(num_intervals=12, budget_tokens=1800)
    start = environment.begin()
    steps = [environment.step(ALLOCATION) for _ in range(11)]
    seen = environment.observe().recent
    assert [feedback.interval for feedback in seen] == list(range(3, 11))
    again = make(num_intervals=12, budget_tokens=1800)
    again.restore(start, [step.record for step in steps], environment.state()())
    assert list(map(shown, again.observe().recent)) == list(map(shown, seen))


def shown(feedback: Any) -> dict[str, Any]:
    """As plain values, NaN as text."""
    return {key: [str(x) for x in np.atleast_1d(value)] for key, value in dataclasses.asdict(feedback).items()}


@pytest.mark.parametrize("budget_tokens", [1000, 1001, 1003])
def test_the_intervals_are_granted_equal_parts_that_sum_to_the_budget(begun: Make, budget_tokens: int) -> None:
    environment = begun(budget_tokens=budget_tokens)
    granted = []
    for _ in range(3):
        environment.step(ALLOCATION)
        state = environment.state()()
        granted.append(int(Scheduler.from_bytes(state.scheduler).deficits.sum()) + Ledger.from_bytes(state.ledger).spent_tokens)
    assert granted == [budget_tokens * done // 3 for done in (1, 2, 3)]


def test_a_step_tells_what_was_bought_learned_and_measured(begun: Make, setting: Setting) -> None:
    environment = begun()
    environment.step(ALLOCATION)
    before = measured(setting, environment)
    spent = Ledger.from_bytes(environment.state()().ledger).spent_tokens
    step = environment.step(ALLOCATION)
    after, dev = measured(setting, environment), measured(setting, environment, "dev")
    ledger = Ledger.from_bytes(environment.state()().ledger)
    assert step.feedback.interval == 1
    assert step.charged_tokens == ledger.spent_tokens == spent + step.feedback.tokens
    assert step.utility_estimate == float(REQUIREMENT @ dev.score)
    assert step.feedback.reward == reward(
        before.score, after.score, REQUIREMENT, beta=2.0, cost=0.25 * step.feedback.tokens / 1000, top_k=1
    )
    record = step.record
    assert (record["interval"], record["requested"], record["dev_utility"]) == (1, ALLOCATION.tolist(), step.utility_estimate)
    assert record["epsilon"] == standard_error(standard_errors(before, after), REQUIREMENT)
    assert record["tokens"]["generated"] == sum(example[3] for example in step.examples)
    assert record["tokens"]["trained"] == sum(example[4] for example in step.examples)
    assert (record["tokens"]["probe"], record["tokens"]["dev"]) == (after.tokens, dev.tokens)
    assert record["examples"] == [sum(example[0] == capability for example in step.examples) for capability in range(3)]


def test_an_example_is_told_by_its_place_in_the_streams_and_its_costs(begun: Make) -> None:
    environment = begun()
    first, second = (environment.step(ALLOCATION).examples for _ in range(2))
    places = [example[:3] for example in (*first, *second)]
    assert len(set(places)) == len(places)
    for capability in range(3):
        for difficulty in range(3):
            slots = [slot for c, d, slot in places if (c, d) == (capability, difficulty)]
            assert slots == list(range(len(slots)))
    assert {example[3] for example in first} == {5}  # four letters and the end
    assert all(example[4] > 5 for example in first)  # the prompt too


def test_an_interval_is_taught_under_its_share_of_the_budget_with_a_seed_of_its_own(begun: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    taught: list[Any] = []
    drawn: list[bool] = []
    sound, draw = Student.train, Supply.draw

    def train(self: Student, examples: list[Any], **how: Any) -> Any:
        kinds = how.pop("capabilities")
        taught.append((len(examples), kinds, how))
        return sound(self, examples, **how)

    def spied(self: Supply, scheduler: Scheduler, ledger: Ledger, *, last_interval: bool) -> Any:
        drawn.append(last_interval)
        return draw(self, scheduler, ledger, last_interval=last_interval)

    monkeypatch.setattr(Student, "train", train)
    monkeypatch.setattr(Supply, "draw", spied)
    environment = begun()
    steps = [environment.step(ALLOCATION) for _ in range(3)]
    shares = [0.0, *(step.charged_tokens / 1000 for step in steps)]
    assert taught == [
        (
            len(step.examples),
            [row[0] for row in step.examples],
            {"progress": (shares[t], shares[t + 1]), "seed": derive_seed("train", 5, t), "outcomes": None},
        )
        for t, step in enumerate(steps)
    ]
    assert drawn == [False, False, True]


def test_the_curriculum_follows_the_share_of_the_budget_that_was_spent_before(begun: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    shares: list[float] = []
    sound = distillation.PromptQueue.begin_interval

    def begin(self: Any, share_spent: float) -> None:
        shares.append(share_spent)
        sound(self, share_spent)

    monkeypatch.setattr(distillation.PromptQueue, "begin_interval", begin)
    environment = begun()
    steps = [environment.step(ALLOCATION) for _ in range(2)]
    assert shares == [0.0, steps[0].charged_tokens / 1000]


def test_the_time_is_counted_where_it_is_spent(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    phases: list[str] = []

    class Watch:
        @contextmanager
        def phase(self, name: str) -> Iterator[None]:
            phases.append(name)
            yield

    monkeypatch.setattr(distillation, "Stopwatch", Watch)
    monkeypatch.setattr(
        distillation, "evaluate", lambda *_, **__: Evaluation(utility=0.5, step_accuracy=0.5, n=1, tokens=1, task="tiny", version="0")
    )
    environment = make()
    environment.begin()
    environment.step(ALLOCATION)
    environment.finish()
    assert phases == ["train", "probe", "probe", "teacher", "train", "probe", "probe", "eval"]


def test_another_environment_goes_on_from_the_state_with_the_same_bits(make: Make) -> None:
    environment = make()
    start = environment.begin()
    steps = [environment.step(ALLOCATION) for _ in range(2)]
    state, seen = environment.state()(), environment.observe()
    again = make()
    again.restore(start, [step.record for step in steps], state)
    assert again.interval == 2
    assert (again.observe().interval, again.observe().budget_left) == (seen.interval, seen.budget_left)
    assert again.observe().profile.tolist() == seen.profile.tolist()
    assert again.state()() == state
    assert same(again.step(ALLOCATION), environment.step(ALLOCATION))
    assert again.state()() == environment.state()()


def same(one: Step, other: Step) -> bool:
    return (one.record, one.charged_tokens, one.utility_estimate, one.examples, shown(one.feedback)) == (
        other.record,
        other.charged_tokens,
        other.utility_estimate,
        other.examples,
        shown(other.feedback),
    )


def test_without_an_interval_done_it_goes_on_from_what_was_measured_at_the_start(make: Make) -> None:
    environment = make()
    start = environment.begin()
    again = make()
    again.restore(start, [], None)
    assert again.observe().profile.tolist() == start["profile"]
    assert (again.interval, again.observe().recent) == (0, ())
    assert same(again.step(ALLOCATION), environment.step(ALLOCATION))


def test_a_state_is_of_the_moment_it_was_asked_for(begun: Make) -> None:
    """It is serialised beside the next interval, which changes the student."""
    environment = begun()
    environment.step(ALLOCATION)
    serialise, now = environment.state(), environment.state()()
    environment.step(ALLOCATION)
    assert serialise() == now


def test_the_end_is_the_test_set_once_and_an_answer_to_a_probe_of_each_capability(
    begun: Make, setting: Setting, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Any] = []

    def evaluate(*arguments: Any, max_new_tokens: int) -> Evaluation:
        asked.append((*arguments, max_new_tokens))
        return Evaluation(utility=0.625, step_accuracy=0.75, n=16, tokens=100, task="tiny", version="0")

    monkeypatch.setattr(distillation, "evaluate", evaluate)
    environment = begun(max_new_tokens=3)
    model = environment._student.model
    outcome = environment.finish()
    answers = model.answer([question.prompt for question in setting.samples()], max_new_tokens=3)
    assert asked == [(model, setting.suite, setting.grader, 3)]
    assert outcome.record == {
        "utility": 0.625,
        "step_accuracy": 0.75,
        "questions": 16,
        "answers": [answer.text for answer in answers],
        "tokens": {"eval": 100 + sum(answer.tokens for answer in answers)},
    }
    assert len(answers) == 3
    outcome.save_student(tmp_path / "student")
    assert (tmp_path / "student" / "model.safetensors").is_file()


@pytest.mark.parametrize("utility", [float("nan"), float("inf")])
def test_a_utility_that_is_not_finite_fails_the_trial(begun: Make, monkeypatch: pytest.MonkeyPatch, utility: float) -> None:
    monkeypatch.setattr(
        distillation,
        "evaluate",
        lambda *_, **__: Evaluation(utility=utility, step_accuracy=utility, n=1, tokens=1, task="tiny", version="0"),
    )
    with pytest.raises(TrialFailure, match=r"^the utility is not finite$"):
        begun().finish()


def test_a_probe_s_score_that_is_not_finite_fails_the_trial(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Profile.from_scores([[0.5], [float("nan")], [0.5]], exact_match=[0, 0, 0], soft=[0, 0, 0], loss=[0, 0, 0])
    monkeypatch.setattr(Setting, "profile", lambda *_: broken)
    with pytest.raises(TrialFailure, match=r"^a probe's score is not finite$"):
        make().begin()


@pytest.mark.parametrize("broken", ["make_feedback", "standard_error", "dev"])
def test_a_reward_that_is_not_finite_fails_the_trial_and_names_the_interval(
    begun: Make, setting: Setting, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    environment = begun()
    environment.step(ALLOCATION)
    if broken == "dev":
        monkeypatch.setattr(environment, "_measure_dev", lambda: DevScore(utility=float("nan"), exact=0.0, soft=0.0, tokens=1))
    elif broken == "standard_error":
        monkeypatch.setattr(distillation, "standard_error", lambda *_: float("inf"))
    else:
        sound = distillation.make_feedback
        monkeypatch.setattr(distillation, "make_feedback", lambda *a, **k: replace(sound(*a, **k), reward=float("nan")))
    with pytest.raises(TrialFailure, match=r"^interval 1: the reward is not finite$"):
        environment.step(ALLOCATION)
