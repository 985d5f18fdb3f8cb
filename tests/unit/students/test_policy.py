"""Objectives on the student's own samples: they equal TRL's and their definitions, and refuse what would be wrong in silence."""

import dataclasses
import importlib.metadata
import math
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from readbench.api import Batch, Loss
from readbench.students.objectives.policy import OnSamples, grpo, kdrl, on_policy_kl, rlad
from readbench.students.objectives.sft import sft
from readbench.testing.objectives import check_objective

TRL = importlib.metadata.version("trl")
LENGTHS, VOCABULARY, LONGEST = (4, 1, 3, 5), 9, 8
TOKENS = sum(LENGTHS)


def batch(*, spread: float = 1.0, **given: Any) -> Batch:
    """Four samples of two groups, in float64."""
    generator = torch.Generator().manual_seed(3)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    logits, labels = spread * normal(TOKENS, VOCABULARY), torch.arange(TOKENS) * 2 % VOCABULARY
    own = logits.log_softmax(1).gather(1, labels[:, None])[:, 0]
    fields = {
        "old_logprob": own + 0.4 * normal(TOKENS),
        "teacher_logprob": own + 0.8 * normal(TOKENS),
        "reference_logprob": own + 0.3 * normal(TOKENS),
        "advantage": torch.tensor([0.7, -0.7, -0.9, 0.9], dtype=torch.float64),
        "reward": torch.tensor([1.0, 0.0, 0.0, 1.0], dtype=torch.float64),
    }
    return Batch(
        logits=logits.requires_grad_(),
        labels=labels,
        sequence=torch.repeat_interleave(torch.arange(4), torch.tensor(LENGTHS)),
        normaliser=float(TOKENS),
        sequences=4.0,
        max_new_tokens=LONGEST,
        progress=0.5,
        **{**fields, **given},
    )


def own_log_probabilities(given: Batch) -> torch.Tensor:
    return given.logits.log_softmax(1).gather(1, given.labels[:, None])[:, 0]


def gradient(loss: Loss | torch.Tensor, given: Batch) -> torch.Tensor:
    value = loss.value if isinstance(loss, Loss) else loss
    return torch.autograd.grad(value, given.logits, retain_graph=True)[0]


def padded(values: torch.Tensor) -> torch.Tensor:
    """(N,) as (S, longest), with 0 where a sequence has ended."""
    return torch.nn.utils.rnn.pad_sequence(list(values.split(LENGTHS)), batch_first=True)


def trl_loss(given: Batch, old: torch.Tensor, *, loss_type: str, beta: float = 0.0, clip: float = 0.2) -> torch.Tensor:
    """What TRL's GRPO trainer makes of the same samples; its method is called with the values that it would have computed."""
    from trl import GRPOTrainer

    mask = padded(torch.ones(TOKENS, dtype=torch.int64))
    student = padded(own_log_probabilities(given))
    trainer = SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *_, **__: (student, torch.zeros_like(student), None),
        aux_loss_enabled=False,
        top_entropy_quantile=1.0,
        off_policy_mask_threshold=None,
        importance_sampling_level="token",
        beta=beta,
        args=SimpleNamespace(delta=None, use_bias_correction_kl=False, steps_per_generation=1),
        loss_type=loss_type,
        epsilon_low=clip,
        epsilon_high=clip,
        use_vllm=False,
        model=SimpleNamespace(training=True),
        current_gradient_accumulation_steps=1,
        accelerator=SimpleNamespace(num_processes=1, reduce=lambda each, **_: each, gather=lambda each: each),
        max_completion_length=LONGEST,
        _entropy_bonus_enabled=False,
        _metrics=defaultdict(lambda: defaultdict(list)),
    )
    inputs = {
        "prompt_ids": torch.ones(4, 2, dtype=torch.int64),
        "prompt_mask": torch.ones(4, 2, dtype=torch.int64),
        "completion_ids": padded(given.labels),
        "completion_mask": mask,
        "advantages": given.advantage,
        "old_per_token_logps": padded(old),
        "ref_per_token_logps": None if given.reference_logprob is None else padded(given.reference_logprob),
        "num_items_in_batch": mask.sum(),
    }
    value: torch.Tensor = GRPOTrainer._compute_loss(trainer, None, inputs)
    return value


needs_trl = pytest.mark.skipif(TRL != "1.16.0", reason=f"compared with TRL 1.16.0, not {TRL}")


def same(ours: Loss, theirs: torch.Tensor, given: Batch) -> None:
    torch.testing.assert_close(ours.value, theirs, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient(ours, given), gradient(theirs, given), rtol=1e-12, atol=1e-12)


@needs_trl
@pytest.mark.parametrize("reference", [0.0, 0.3])
@pytest.mark.parametrize(
    ("loss_type", "normalise"), [("grpo", "sequences"), ("bnpo", "tokens"), ("dapo", "tokens"), ("dr_grpo", "constant")]
)
def test_grpo_equals_trls(loss_type: str, normalise: str, reference: float) -> None:
    given = batch()
    assert given.old_logprob is not None
    theirs = trl_loss(given, given.old_logprob, loss_type=loss_type, beta=reference)
    same(grpo(normalise=normalise, reference=reference).loss(given), theirs, given)


@needs_trl
@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize(("loss_type", "normalise"), [("grpo", "sequences"), ("dapo", "tokens")])
def test_rlad_without_clamp_equals_trl_with_a_mixed_old_policy(alpha: float, loss_type: str, normalise: str) -> None:
    given = batch()
    assert given.old_logprob is not None
    assert given.teacher_logprob is not None
    anchor = alpha * given.old_logprob + (1 - alpha) * given.teacher_logprob
    ours = rlad(alpha=alpha, clamp=math.inf, normalise=normalise).loss(given)
    same(ours, trl_loss(given, anchor, loss_type=loss_type), given)


def test_rlads_clamp_holds_the_teachers_ratio_and_passes_no_gradient_through_it_there() -> None:
    given = batch(spread=3.0)
    assert given.teacher_logprob is not None
    assert given.old_logprob is not None
    assert given.advantage is not None
    student, c, alpha = own_log_probabilities(given), 0.25, 0.4
    apart = student - given.teacher_logprob
    assert (apart.abs() > c).any()
    assert (apart.abs() < c).any()
    held = torch.where(apart.abs() <= c, apart, c * apart.sign().detach())
    ratio, advantage = (alpha * (student - given.old_logprob) + (1 - alpha) * held).exp(), given.advantage[given.sequence]
    expected = -torch.minimum(ratio * advantage, ratio.clamp(0.9, 1.1) * advantage).mean()
    same(rlad(alpha=alpha, clamp=c, clip=0.1).loss(given), expected, given)


def test_rlad_with_alpha_1_is_grpo_and_needs_no_teacher() -> None:
    given = batch()
    same(rlad(alpha=1.0).loss(given), grpo().loss(given).value, given)
    assert rlad(alpha=1.0).needs == grpo().needs == {"rollouts", "rewards"}
    assert rlad().needs == kdrl().needs == {"rollouts", "rewards", "teacher_logprob"}
    assert grpo(reference=0.1).needs == {"rollouts", "rewards", "reference_logprob"}


def test_kdrl_is_grpo_and_the_divergence_side_by_side() -> None:
    given = batch()
    expected = grpo().loss(given).value + 0.7 * on_policy_kl().loss(given).value
    same(kdrl(beta=0.7).loss(given), expected, given)


def test_without_advantage_the_teacher_has_no_influence_on_rlad() -> None:
    given = batch(advantage=torch.zeros(4, dtype=torch.float64))
    loss = rlad().loss(given)
    assert loss.value.item() == 0.0
    assert not gradient(loss, given).any()
    assert gradient(kdrl().loss(given), given).any()


def test_the_trust_region_acts_from_the_first_step_on() -> None:
    """At S = old the ratio is (S/T)^(1 − α): with α = .5 and ε = .2 it is clipped beyond 2·ln 1.2 = .365 and below 2·ln .8 = −.446."""
    apart = torch.tensor([0.36, 0.37, -0.44, -0.45, 3.0, -3.0], dtype=torch.float64)
    for advantage, silent in ((1.0, [False, True, False, False, True, False]), (-1.0, [False, False, False, True, False, True])):
        logits = torch.zeros(6, 2, dtype=torch.float64, requires_grad=True)
        own = torch.full((6,), -math.log(2), dtype=torch.float64)
        given = Batch(
            logits=logits,
            labels=torch.zeros(6, dtype=torch.int64),
            sequence=torch.zeros(6, dtype=torch.int64),
            normaliser=6.0,
            sequences=1.0,
            max_new_tokens=6,
            progress=0.5,
            old_logprob=own,
            teacher_logprob=own - apart,
            advantage=torch.tensor([advantage], dtype=torch.float64),
            reward=torch.tensor([1.0], dtype=torch.float64),
        )
        loss = rlad(alpha=0.5, clip=0.2).loss(given)
        assert (gradient(loss, given) == 0).all(1).tolist() == silent
        up, down = loss.figures["clipped_up"], loss.figures["clipped_down"]
        if advantage > 0:
            assert up.tolist() == [float(each) for each in silent]
            assert down.isnan().all()
        else:
            assert down.tolist() == [float(each) for each in silent]
            assert up.isnan().all()


def test_the_sampled_divergence_has_the_gradient_of_the_reverse_kl_on_average() -> None:
    """By enumeration: every token as the sample, weighted by the student's probability of it."""
    generator = torch.Generator().manual_seed(1)
    row, teacher = (torch.randn(VOCABULARY, dtype=torch.float64, generator=generator) for _ in range(2))
    log_t = teacher.log_softmax(0)
    logits = row.expand(VOCABULARY, -1).clone().requires_grad_()
    given = Batch(
        logits=logits,
        labels=torch.arange(VOCABULARY),
        sequence=torch.arange(VOCABULARY),
        normaliser=1.0,
        sequences=float(VOCABULARY),
        max_new_tokens=1,
        progress=0.5,
        old_logprob=row.log_softmax(0),
        teacher_logprob=log_t,
    )
    by_sample = gradient(on_policy_kl().loss(given), given)  # (V samples, V)
    sampled = (row.softmax(0)[:, None] * by_sample).sum(0)
    row.requires_grad_()
    log_s = row.log_softmax(0)
    (exact,) = torch.autograd.grad((log_s.exp() * (log_s - log_t)).sum(), row)
    torch.testing.assert_close(sampled, exact, rtol=1e-12, atol=1e-12)


def test_figures_say_what_they_are() -> None:
    given = batch()
    figures = kdrl(reference=0.1).loss(given).figures
    student = own_log_probabilities(given).detach()
    assert given.teacher_logprob is not None
    assert given.reference_logprob is not None
    torch.testing.assert_close(figures["kl_to_teacher"], student - given.teacher_logprob)
    torch.testing.assert_close(figures["kl_to_reference"], student - given.reference_logprob)
    torch.testing.assert_close(figures["entropy"], torch.distributions.Categorical(logits=given.logits.detach()).entropy())
    assert not any(values.requires_grad for values in figures.values())


def test_the_entropy_is_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    from readbench.students.objectives import policy

    given = batch()
    whole = grpo().loss(given).figures["entropy"]
    monkeypatch.setattr(policy, "PIECE", 2 * VOCABULARY)
    assert torch.equal(grpo().loss(given).figures["entropy"], whole)


def test_a_temperature_is_that_of_the_sampled_distribution() -> None:
    given = batch()
    cold = dataclasses.replace(given, logits=(given.logits / 0.5).detach().requires_grad_())
    warm, plain = kdrl(temperature=0.5).loss(given), kdrl().loss(cold)
    torch.testing.assert_close(warm.value, plain.value)
    torch.testing.assert_close(gradient(warm, given), 2.0 * gradient(plain, cold))


def test_the_teachers_answers_of_a_warm_up_are_learned_by_cross_entropy() -> None:
    given = batch(old_logprob=None, teacher_logprob=None, reference_logprob=None, advantage=None)
    same(rlad().loss(given), sft().loss(given).value, given)


@pytest.mark.parametrize("wrong", [math.nan, -math.inf, math.inf])
@pytest.mark.parametrize("name", ["teacher_logprob", "old_logprob", "reference_logprob", "advantage"])
def test_what_is_not_finite_is_an_error_and_never_a_zero(name: str, wrong: float) -> None:
    values = getattr(batch(), name).clone()
    values[0] = wrong
    with pytest.raises(ValueError, match=f"{name} is not finite"):
        rlad(reference=0.1).loss(batch(**{name: values}))


@pytest.mark.parametrize("name", ["teacher_logprob", "advantage", "reference_logprob"])
def test_what_is_missing_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is missing"):
        rlad(reference=0.1).loss(batch(**{name: None}))


@pytest.mark.parametrize(
    ("make", "params", "message"),
    [
        (grpo, {"group_size": 1}, "group_size must be at least 2, got 1: one answer has no advantage over others"),
        (grpo, {"group_size": 0}, "group_size must be from 1 to 1024, got 0"),
        (grpo, {"clip": 0.0}, "clip must be between 0 and 1, got 0.0"),
        (grpo, {"clip": 1.0}, "clip must be between 0 and 1, got 1.0"),
        (grpo, {"reference": -0.1}, "the weight of the reference must be 0 or more, got -0.1"),
        (grpo, {"normalise": "mean"}, "normalise must be one of tokens, sequences, constant, got 'mean'"),
        (grpo, {"temperature": 0.0}, "temperature must be between 0.01 and 100, got 0.0"),
        (grpo, {"temperature": math.nan}, "temperature must be between 0.01 and 100, got nan"),
        (grpo, {"top_p": 0.0}, r"top_p must be in \(0, 1\], got 0.0"),
        (grpo, {"round_tokens": 0}, "round_tokens must be at least 1, got 0"),
        (grpo, {"token_budget": -1}, "token_budget must be at least 0, got -1"),
        (grpo, {"warmup": 1.0}, r"warmup must be in \[0, 1\), got 1.0"),
        (kdrl, {"beta": 0.0}, "beta must be positive; at 0 it is grpo, got 0.0"),
        (kdrl, {"beta": math.nan}, "beta must be positive"),
        (rlad, {"alpha": 1.1}, "alpha must be from 0 to 1, got 1.1"),
        (rlad, {"alpha": math.nan}, "alpha must be from 0 to 1, got nan"),
        (rlad, {"clamp": 0.0}, "clamp must be positive, got 0.0"),
    ],
)
def test_a_parameter_out_of_range_is_refused(make: Any, params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**params)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("grpo", {"normalise": "sequences", "reference": 0.2}),
        ("grpo", {"normalise": "constant", "temperature": 1.5}),
        ("rlad", {"alpha": 0.0, "normalise": "sequences"}),
        ("rlad", {"alpha": 1.0}),
        ("kdrl", {"beta": 3.0, "reference": 0.5}),
        ("jsd", {"own_share": 0.5}),
    ],
)
def test_every_form_keeps_the_contract(name: str, params: dict[str, Any]) -> None:
    check_objective(name, params=params)


class Improper(OnSamples):
    """Its clamp heals a log-probability of −inf, as public code does."""

    def __init__(self) -> None:
        super().__init__(rollouts=rlad().rollouts, rewarded=True, alpha=0.5, clamp=5.0)  # type: ignore[attr-defined]

    def loss(self, given: Batch) -> Loss:
        assert given.teacher_logprob is not None
        return super().loss(dataclasses.replace(given, teacher_logprob=given.teacher_logprob.nan_to_num(neginf=-1e4)))


class Unread(OnSamples):
    """It asks for the teacher and forgets it."""

    def __init__(self) -> None:
        super().__init__(rollouts=rlad().rollouts, rewarded=True)  # type: ignore[attr-defined]
        self.needs = rlad().needs


class Homeless:
    """It needs rollouts and does not say how they are made."""

    needs = frozenset({"rollouts"})
    loss = staticmethod(sft().loss)


class Unrewarded(OnSamples):
    """It asks for rewards and learns from the teacher alone."""

    def __init__(self) -> None:
        super().__init__(rollouts=rlad().rollouts, rewarded=False, teacher=1.0)  # type: ignore[attr-defined]
        self.needs = rlad().needs


@pytest.mark.parametrize(("made", "rule"), [(Improper, "not finite"), (Unread, "teacher"), (Homeless, "factory"), (Unrewarded, "samples")])
def test_the_kit_finds_what_goes_wrong_on_samples(made: Any, rule: str) -> None:
    with pytest.raises(AssertionError, match=f"^{rule}: "):
        check_objective(made)
