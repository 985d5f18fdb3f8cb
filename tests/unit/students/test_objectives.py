"""Objectives: each keeps the contract; divergences equal their definitions and TRL's."""

import dataclasses
import importlib.metadata
import itertools
import math
from collections.abc import Callable

import pytest
import torch

from readbench.api import Batch, Loss, Objective
from readbench.base.plugins import registry
from readbench.models.language_model import top_of
from readbench.students.objectives import divergences
from readbench.students.objectives.sft import redi, sft
from readbench.testing.objectives import check_objective

TRL = importlib.metadata.version("trl")
BETAS = (0.1, 0.5, 0.9)


def batch(num_tokens: int = 6, vocabulary: int = 9, *, spread: float = 1.0) -> Batch:
    generator = torch.Generator().manual_seed(0)
    student, teacher = (spread * torch.randn(num_tokens, vocabulary, dtype=torch.float64, generator=generator) for _ in range(2))
    return Batch(
        logits=student.requires_grad_(),
        labels=torch.arange(num_tokens) % vocabulary,
        sequence=torch.zeros(num_tokens, dtype=torch.int64),
        normaliser=float(num_tokens),
        sequences=1.0,
        max_new_tokens=num_tokens,
        progress=0.5,
        teacher_logits=teacher,
    )


def with_top(given: Batch, k: int, temperature: float = 1.0) -> Batch:
    """The batch as an objective that reads the teacher's k most probable tokens gets it."""
    assert given.teacher_logits is not None
    rows = top_of(given.teacher_logits, k, temperature)
    return dataclasses.replace(given, teacher_logits=None, teacher_top=rows[:, :k].long(), teacher_top_logprob=rows[:, k:])


def gradient(loss: Loss, given: Batch) -> torch.Tensor:
    return torch.autograd.grad(loss.value, given.logits)[0]


def same(one: Objective, other: Objective, given: Batch) -> None:
    first, second = one.loss(given), other.loss(given)
    torch.testing.assert_close(first.tokens, second.tokens, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient(first, given), gradient(second, given), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", sorted(registry().plugins("objective")))
def test_a_registered_objective_keeps_the_contract(name: str) -> None:
    check_objective(name)


@pytest.mark.parametrize("params", [{"k": 1}, {"k": 4, "reverse": True}, {"k": 1000}, {"temperature": 3.0}])
def test_top_k_keeps_it_with_any_k(params: dict[str, int | float | bool]) -> None:
    check_objective("top-k", params=params)


def test_sft_is_the_negative_log_probability_of_the_label() -> None:
    given = batch()
    loss = sft().loss(given)
    expected = [-float(row.softmax(0)[label].log()) for row, label in zip(given.logits.detach(), given.labels, strict=True)]
    assert loss.tokens.tolist() == pytest.approx(expected, rel=1e-9)
    assert loss.value.item() == pytest.approx(sum(expected) / 6)


def test_forward_and_reverse_kl_by_hand() -> None:
    given = Batch(
        logits=torch.log(torch.tensor([[0.5, 0.25, 0.25]], dtype=torch.float64)).requires_grad_(),
        labels=torch.tensor([0]),
        sequence=torch.tensor([0]),
        normaliser=1.0,
        sequences=1.0,
        max_new_tokens=1,
        progress=0.5,
        teacher_logits=torch.log(torch.tensor([[0.25, 0.25, 0.5]], dtype=torch.float64)),
    )
    # forward: ¼·ln(½) + ½·ln 2 = ¼·ln 2; reverse: ½·ln 2 + ¼·ln ½ = ¼·ln 2; half-way mixture (.375, .25, .375)
    assert divergences.forward_kl().loss(given).value.item() == pytest.approx(0.25 * math.log(2))
    assert divergences.reverse_kl().loss(given).value.item() == pytest.approx(0.25 * math.log(2))
    half = 0.25 * math.log(0.25 / 0.375) + 0.5 * math.log(0.5 / 0.375)
    assert divergences.jsd().loss(given).value.item() == pytest.approx(half)


@pytest.mark.skipif(TRL != "1.16.0", reason=f"compared with TRL 1.16.0, not {TRL}")
@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize(
    ("beta", "make"),
    [
        (0.0, divergences.forward_kl),
        (1.0, divergences.reverse_kl),
        *((beta, lambda beta=beta, **given: divergences.jsd(beta=beta, **given)) for beta in BETAS),
    ],
)
def test_divergences_equal_trls_in_value_and_gradient(
    beta: float, make: Callable[..., Objective], temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    from trl.experimental.gkd import GKDTrainer

    given = batch(spread=2.0)
    loss = make(temperature=temperature).loss(given)
    assert given.teacher_logits is not None
    theirs = GKDTrainer.generalized_jsd_loss(
        given.logits[None], given.teacher_logits[None], labels=given.labels[None], beta=beta, temperature=temperature
    )
    torch.testing.assert_close(loss.value, theirs, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient(loss, given), torch.autograd.grad(theirs, given.logits)[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("beta", BETAS)
def test_jsd_is_a_mixture_of_the_skewed_divergences(beta: float) -> None:
    given = batch()
    forward, reverse = (make.loss(given).tokens for make in (divergences.skew_kl(skew=beta), divergences.skew_reverse_kl(skew=1 - beta)))
    torch.testing.assert_close(divergences.jsd(beta=beta).loss(given).tokens, beta * forward + (1 - beta) * reverse)


def test_jsd_over_beta_tends_to_the_forward_kl() -> None:
    given = batch()
    torch.testing.assert_close(
        divergences.jsd(beta=0.001).loss(given).tokens / 0.001, divergences.forward_kl().loss(given).tokens, rtol=0.02, atol=0.01
    )


@pytest.mark.parametrize("reverse", [False, True])
def test_top_k_is_the_full_divergence_at_all_but_one_and_a_lower_bound_below(reverse: bool) -> None:
    given = batch()
    full = divergences.reverse_kl() if reverse else divergences.forward_kl()
    whole, top = full.loss(given), divergences.top_k(k=8, reverse=reverse).loss(with_top(given, 8))
    torch.testing.assert_close(top.tokens, whole.tokens, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient(top, given), gradient(whole, given), rtol=1e-11, atol=1e-12)
    bounds = [divergences.top_k(k=k, reverse=reverse).loss(with_top(given, k)).tokens for k in (1, 3, 6, 8)]
    for smaller, larger in itertools.pairwise(bounds):
        assert (smaller <= larger + 1e-12).all()


@pytest.mark.parametrize("name", ["forward-kl", "reverse-kl", "jsd", "skew-kl", "skew-reverse-kl", "top-k"])
def test_a_student_equal_to_its_teacher_has_nothing_to_learn(name: str) -> None:
    given = batch()
    equal = Batch(
        logits=given.logits,
        labels=given.labels,
        sequence=given.sequence,
        normaliser=given.normaliser,
        sequences=given.sequences,
        max_new_tokens=given.max_new_tokens,
        progress=given.progress,
        teacher_logits=given.logits.detach() + 3.0,  # a constant changes no distribution
    )
    made = registry().plugins("objective")[name].plugin.factory()
    loss = made.loss(with_top(equal, 8) if "teacher_top" in made.needs else equal)
    assert loss.tokens.abs().max() < 1e-12
    assert gradient(loss, equal).abs().max() < 1e-12


def test_a_long_batch_in_pieces_is_the_same_and_keeps_less(monkeypatch: pytest.MonkeyPatch) -> None:
    given, whole = batch(64, 50), divergences.jsd().loss(batch(64, 50))
    held: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: held.append(tensor.numel()) or tensor, lambda tensor: tensor):
        divergences.jsd().loss(given)
        at_once = sum(held)
        held.clear()
        monkeypatch.setattr(divergences, "PIECE", 8 * 50)
        pieces = divergences.jsd().loss(given)
    assert sum(held) < at_once / 3
    assert torch.equal(pieces.tokens, whole.tokens)
    torch.testing.assert_close(gradient(pieces, given), torch.autograd.grad(divergences.jsd().loss(given).value, given.logits)[0])


def test_rows_that_only_one_table_has_are_left_out() -> None:
    given = batch()
    assert given.teacher_logits is not None
    padded = Batch(
        logits=given.logits,
        labels=given.labels,
        sequence=given.sequence,
        normaliser=given.normaliser,
        sequences=given.sequences,
        max_new_tokens=given.max_new_tokens,
        progress=given.progress,
        teacher_logits=torch.cat([given.teacher_logits, torch.full((6, 3), 5.0, dtype=torch.float64)], dim=1),
    )
    assert torch.equal(divergences.forward_kl().loss(padded).tokens, divergences.forward_kl().loss(given).tokens)


def test_what_the_teacher_holds_impossible_makes_no_nan() -> None:
    given = batch()
    assert given.teacher_logits is not None
    given.teacher_logits[:, 3] = float("-inf")
    loss = divergences.forward_kl().loss(given)
    assert torch.isfinite(loss.tokens).all()
    assert torch.isfinite(gradient(loss, given)).all()


@pytest.mark.parametrize(
    ("make", "params"),
    [
        (divergences.forward_kl, {"temperature": 0.0}),
        (divergences.jsd, {"beta": 0.0}),
        (divergences.jsd, {"beta": math.nan}),
        (divergences.skew_kl, {"skew": 1.0}),
        (divergences.skew_reverse_kl, {"skew": -0.1}),
        (divergences.top_k, {"k": 0}),
    ],
)
def test_parameters_out_of_range_are_refused(make: Callable[..., Objective], params: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(params))} must be between"):
        make(**params)


# --- the kit finds what is wrong


@pytest.mark.parametrize("k", [1, 3, 8])
def test_head_and_tail_make_up_the_forward_kl(k: int) -> None:
    given = batch(spread=2.0)
    assert given.teacher_logits is not None
    log_s, log_t = given.logits.log_softmax(1), given.teacher_logits.log_softmax(1)
    head, tail, mass = divergences.head_and_tail(log_s, log_t, k).unbind(1)
    torch.testing.assert_close(head + mass * tail, divergences.kl(log_t, log_s), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(mass, 1 - log_t.exp().topk(k, dim=1).values.sum(1), rtol=1e-9, atol=1e-12)


def test_tail_aware_weighs_the_tail_by_its_share_of_the_sequence_s() -> None:
    given = batch(spread=2.0)
    assert given.teacher_logits is not None
    head, tail, mass = divergences.head_and_tail(given.logits.log_softmax(1), given.teacher_logits.log_softmax(1), 3).unbind(1)
    expected = sft().loss(given).tokens + head + 0.5 * mass / mass.mean() * tail
    torch.testing.assert_close(divergences.tail_aware(k=3, beta=0.5).loss(given).tokens, expected.detach())
    alone = divergences.tail_aware(k=3, beta=0.0).loss(given).tokens
    torch.testing.assert_close(alone, sft().loss(given).tokens + divergences.top_k(k=3).loss(with_top(given, 3)).tokens)


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_a_temperature_is_that_of_both(temperature: float) -> None:
    given = batch(spread=2.0)
    top = divergences.top_k(k=8, temperature=temperature).loss(with_top(given, 8, temperature))
    whole = divergences.forward_kl(temperature=temperature).loss(given)
    torch.testing.assert_close(top.tokens, whole.tokens, rtol=1e-12, atol=1e-12)


def test_the_top_in_pieces_is_the_top(monkeypatch: pytest.MonkeyPatch) -> None:
    given = with_top(batch(), 4)
    whole = divergences.top_k(k=4).loss(given)
    monkeypatch.setattr(divergences, "PIECE", 18)  # two rows
    pieces = divergences.top_k(k=4).loss(given)
    torch.testing.assert_close(pieces.tokens, whole.tokens, rtol=0, atol=1e-15)
    torch.testing.assert_close(gradient(pieces, given), gradient(whole, given), rtol=1e-14, atol=1e-15)


def test_a_teacher_without_a_tail_has_none_to_teach() -> None:
    sure = torch.full((6, 9), -200.0, dtype=torch.float64)
    sure[:, 0] = 0.0
    sure[:, 1:] = float("-inf")
    given = dataclasses.replace(batch(), teacher_logits=sure)
    loss = divergences.tail_aware(k=2).loss(given)
    assert torch.isfinite(loss.tokens).all()
    assert torch.isfinite(gradient(loss, given)).all()


def test_redi_moves_towards_right_answers_and_away_from_wrong_ones_after_the_warm_up() -> None:
    """Two sequences of 2 and 4 tokens: the mean over sequences of ±mean over tokens."""
    given = dataclasses.replace(
        batch(),
        sequence=torch.tensor([0, 0, 1, 1, 1, 1]),
        sequences=2.0,
        reward=torch.tensor([1.0, 0.5], dtype=torch.float64),
        progress=0.4,
    )
    nats = sft().loss(given).tokens
    right, wrong = nats[:2].mean(), nats[2:].mean()
    torch.testing.assert_close(redi(weight=0.3, warmup=0.5).loss(given).value.detach(), right / 2)
    after = dataclasses.replace(given, progress=0.5)
    torch.testing.assert_close(redi(weight=0.3, warmup=0.5).loss(after).value.detach(), (right - 0.3 * wrong) / 2)


@pytest.mark.parametrize(
    ("make", "params", "message"),
    [
        (redi, {"weight": 1.5}, "weight must be from 0 to 1, got 1.5"),
        (redi, {"warmup": math.nan}, "warmup must be from 0 to 1, got nan"),
        (divergences.tail_aware, {"k": 0}, "k must be between 1 and 1000000, got 0"),
        (divergences.tail_aware, {"beta": -1.0}, "beta must be between 0.0 and 1000.0, got -1.0"),
        (divergences.forward_kl, {"own_share": 1.5}, "own_share must be between 0.0 and 1.0, got 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(make: Callable[..., Objective], params: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**params)


class Doubled:
    needs = frozenset[str]()

    def loss(self, given: Batch) -> Loss:
        found = sft().loss(given)
        return Loss(value=found.value + (found.value - found.value.detach()), tokens=found.tokens)


class Averaged:
    needs = frozenset[str]()

    def loss(self, given: Batch) -> Loss:
        tokens = torch.nn.functional.cross_entropy(given.logits, given.labels, reduction="none")
        return Loss(value=tokens.mean(), tokens=tokens.detach())


class Deaf:
    needs = frozenset({"teacher_logits"})

    def loss(self, given: Batch) -> Loss:
        return sft().loss(given)


class Healing:
    needs = frozenset[str]()

    def loss(self, given: Batch) -> Loss:
        tokens = torch.nn.functional.cross_entropy(given.logits.nan_to_num(), given.labels, reduction="none")
        return Loss(value=tokens.sum() / given.normaliser, tokens=tokens.detach())


class Greedy:
    needs = frozenset({"oracle"})

    def loss(self, given: Batch) -> Loss:
        return sft().loss(given)


class Unasked:
    needs = frozenset[str]()

    def loss(self, given: Batch) -> Loss:
        return divergences.forward_kl().loss(given)


@pytest.mark.parametrize(
    ("made", "rule"),
    [(Doubled, "gradient"), (Averaged, "normaliser"), (Deaf, "teacher"), (Healing, "not finite"), (Greedy, "factory"), (Unasked, "needs")],
)
def test_the_kit_names_the_rule_that_is_broken(made: Callable[..., Objective], rule: str) -> None:
    with pytest.raises(AssertionError, match=f"^{rule}: "):
        check_objective(made)


def test_a_token_of_the_teacher_that_the_student_s_table_lacks_is_named() -> None:
    given = with_top(batch(), 3)
    assert given.teacher_top is not None
    rows = given.logits.shape[1]
    given.teacher_top[0, 0] = rows
    with pytest.raises(ValueError, match=f"token {rows} probable, which the student's table of {rows} rows"):
        divergences.top_k(k=3).loss(given)
