"""Conformance kit for objectives: checks the rules that every objective must keep, in the tests of its author.

    from readbench.testing.objectives import check_objective

    def test_mine_is_a_valid_objective():
        check_objective(mine)       # the factory, or its registered name

It makes batches in float64, so that a gradient can be held against finite differences. The first broken rule raises an AssertionError that
begins with the rule's name; `OBJECTIVE_RULES` says what each rule requires.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from readbench.api import NEEDS, Batch, Loss, Objective

OBJECTIVE_RULES: Mapping[str, str] = {
    "factory": "makes an object with needs, a frozenset of what readbench serves, and loss",
    "needs": "what it does not name in needs is None, and it works without",
    "loss": "is a Loss: one number to call backward on, and one detached, finite number of nats for each label token",
    "gradient": "backward gives the derivative of the loss by the student's logits",
    "normaliser": "the batches of a step add up to the whole step, in value and in gradient, however it is cut",
    "tokens": "a sequence's losses do not depend on its neighbours or on their order",
    "teacher": "is read if it is needed: other logits give other losses",
    "not finite": "logits that are NaN give an error or a loss that is not finite, never a number that looks sound",
    "determinism": "the same batch gives the same bits",
}
_VOCABULARY, _LENGTHS = 11, (4, 1, 3, 5)
_STEP, _TOLERANCE = 1e-6, 1e-5


def check_objective(factory: Callable[..., Objective] | str, *, params: Mapping[str, bool | int | float | str] | None = None) -> None:
    """Raises AssertionError with the name of the first broken rule of `OBJECTIVE_RULES`.

    `factory` is ``(**params) -> Objective`` or a registered name.
    """
    objective = _made(factory, params or {})
    whole = _batch(objective.needs, range(len(_LENGTHS)))
    loss = _loss(objective, whole)
    _check_gradient(objective, whole, loss)
    _check_cuts(objective, whole, loss)
    if "teacher_logits" in objective.needs:
        _check_teacher(objective, whole, loss)
    _check_not_finite(objective, whole)
    again = _loss(objective, whole)
    if not (torch.equal(again.value, loss.value) and torch.equal(again.tokens, loss.tokens)):
        raise _broken("determinism", f"{loss.value.item()!r}, then {again.value.item()!r}")


def _broken(rule: str, detail: str) -> AssertionError:
    return AssertionError(f"{rule}: {detail} (the rule: {OBJECTIVE_RULES[rule]})")


def _made(factory: Callable[..., Objective] | str, params: Mapping[str, Any]) -> Objective:
    try:
        if isinstance(factory, str):
            from readbench.base.plugins import make  # only a name needs the registry

            made: Objective = make("objective", factory, **params)
        else:
            made = factory(**params)
    except Exception as error:
        raise _broken("factory", f"raised {type(error).__name__}: {error}") from error
    needs = getattr(made, "needs", None)
    if not isinstance(needs, frozenset) or not needs <= NEEDS or not callable(getattr(made, "loss", None)):
        raise _broken("factory", f"made a {type(made).__name__} with needs {needs!r}")
    return made


def _batch(needs: frozenset[str], sequences: Sequence[int]) -> Batch:
    """The tokens of some of the four sequences, in the order given; each token's numbers depend on it alone."""

    def rows(salt: int) -> torch.Tensor:
        found = []
        for sequence in sequences:
            generator = torch.Generator().manual_seed(100 * salt + sequence)
            found.append(torch.randn(_LENGTHS[sequence], _VOCABULARY, dtype=torch.float64, generator=generator))
        return torch.cat(found)

    labels = torch.cat([torch.arange(_LENGTHS[sequence]) * (sequence + 2) % _VOCABULARY for sequence in sequences])
    row = torch.cat([torch.full((_LENGTHS[sequence],), place) for place, sequence in enumerate(sequences)])
    return Batch(
        logits=rows(1).requires_grad_(),
        labels=labels,
        sequence=row,
        normaliser=float(sum(_LENGTHS)),
        teacher_logits=rows(2) if "teacher_logits" in needs else None,
    )


def _loss(objective: Objective, batch: Batch) -> Loss:
    try:
        loss = objective.loss(batch)
    except Exception as error:
        raise _broken("needs", f"raised {type(error).__name__}: {error}") from error
    if not isinstance(loss, Loss) or loss.value.shape != () or not loss.value.requires_grad or not torch.isfinite(loss.value):
        raise _broken("loss", f"gave {loss!r}")
    if loss.tokens.shape != batch.labels.shape or loss.tokens.requires_grad or not torch.isfinite(loss.tokens).all():
        raise _broken("loss", f"gave tokens {loss.tokens!r} for {len(batch.labels)} labels")
    return loss


def _gradient(loss: Loss, batch: Batch) -> torch.Tensor:
    (gradient,) = torch.autograd.grad(loss.value, batch.logits, retain_graph=True)
    return gradient


def _check_gradient(objective: Objective, batch: Batch, loss: Loss) -> None:
    gradient = _gradient(loss, batch)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        direction = torch.randn(batch.logits.shape, dtype=torch.float64, generator=generator)
        ahead, behind = (
            objective.loss(
                dataclasses.replace(batch, logits=(batch.logits + sign * _STEP * direction).detach().requires_grad_())
            ).value.item()
            for sign in (1.0, -1.0)
        )
        difference, stated = (ahead - behind) / (2 * _STEP), float((gradient * direction).sum())
        if abs(difference - stated) > _TOLERANCE * max(1.0, abs(stated)):
            raise _broken("gradient", f"{stated} by backward, {difference} by finite differences")


def _check_cuts(objective: Objective, batch: Batch, loss: Loss) -> None:
    gradient, order = _gradient(loss, batch), [2, 0, 3, 1]
    parts = [[2], [0, 3], [1]]
    cut = [_batch(objective.needs, part) for part in parts]
    losses = [_loss(objective, part) for part in cut]
    value = sum(float(part.value.item()) for part in losses)
    if abs(value - loss.value.item()) > 1e-9 * max(1.0, abs(value)):
        raise _broken("normaliser", f"{loss.value.item()} as a whole, {value} in three batches")
    tokens = torch.cat([part.tokens for part in losses])
    ends = torch.tensor(_LENGTHS).cumsum(0)
    places = torch.cat([torch.arange(int(ends[s]) - _LENGTHS[s], int(ends[s])) for s in order])
    if not torch.allclose(tokens, loss.tokens[places], rtol=1e-9, atol=1e-12):
        raise _broken("tokens", "a sequence has other losses beside other sequences")
    added = torch.cat([_gradient(part, made) for part, made in zip(losses, cut, strict=True)])
    if not torch.allclose(added, gradient[places], rtol=1e-9, atol=1e-12):
        raise _broken("normaliser", "the gradients of three batches are not that of the whole")


def _check_teacher(objective: Objective, batch: Batch, loss: Loss) -> None:
    assert batch.teacher_logits is not None  # noqa: S101 - it is needed
    other = dataclasses.replace(batch, teacher_logits=batch.teacher_logits.flip(0).clone())
    if torch.equal(_loss(objective, other).tokens, loss.tokens):
        raise _broken("teacher", "other teacher logits give the same losses")


def _check_not_finite(objective: Objective, batch: Batch) -> None:
    for name in ("logits", *sorted(objective.needs & {"teacher_logits"})):
        damaged = getattr(batch, name).detach().clone()
        damaged[1, 2] = float("nan")
        if name == "logits":
            damaged.requires_grad_()
        try:
            loss = objective.loss(dataclasses.replace(batch, **{name: damaged}))
        except Exception:  # noqa: S112 - an error is what is asked for
            continue
        if torch.isfinite(loss.value):
            raise _broken("not finite", f"{name} with a NaN gave {loss.value.item()}")
