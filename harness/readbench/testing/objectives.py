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

from readbench.api import NEEDS, Batch, Loss, Objective, Rollouts

OBJECTIVE_RULES: Mapping[str, str] = {
    "factory": "makes an object with needs, a frozenset of what readbench serves, and loss; with rollouts, if it needs them",
    "needs": "what it does not name in needs is None, and it works without",
    "loss": "is a Loss: one number to call backward on, and one detached, finite number of nats for each label token",
    "gradient": "backward gives the derivative of the loss by the student's logits",
    "normaliser": "the batches of a step add up to the whole step, in value and in gradient, however it is cut",
    "tokens": "a sequence's losses do not depend on its neighbours or on their order",
    "teacher": "is read if it is needed: other logits or log-probabilities give another loss",
    "samples": "rewards and log-probabilities of the past are read if they are needed",
    "not finite": "a NaN, or a log-probability of −inf, gives an error or a loss that is not finite, never a number that looks sound",
    "determinism": "the same batch gives the same bits",
}
_VOCABULARY, _LENGTHS, _GROUP = 11, (4, 1, 3, 5), 2
_LOG_PROBABILITIES = {"teacher_logprob": 3, "reference_logprob": 4, "old_logprob": 5}
_REWARDS = (1.0, 0.25, 0.5, 0.0)
_STEP, _TOLERANCE = 1e-6, 1e-5
# What must be read if it is served, by rule; of rewards one form is enough.
_READ = (
    ("teacher", ("teacher_logits",)),
    ("teacher", ("teacher_top", "teacher_top_logprob")),
    ("teacher", ("teacher_logprob",)),
    ("samples", ("reference_logprob",)),
    ("samples", ("reward", "advantage")),
)


def check_objective(factory: Callable[..., Objective] | str, *, params: Mapping[str, bool | int | float | str] | None = None) -> None:
    """Raises AssertionError with the name of the first broken rule of `OBJECTIVE_RULES`.

    `factory` is ``(**params) -> Objective`` or a registered name.
    """
    objective = _made(factory, params or {})
    whole = _batch(objective, range(len(_LENGTHS)))
    loss = _loss(objective, whole)
    _check_gradient(objective, whole, loss)
    _check_cuts(objective, whole, loss)
    for rule, names in _READ:
        served = [name for name in names if name in _served(objective.needs)]
        if served and not _reads(objective, whole, loss, served):
            raise _broken(rule, f"another {' and '.join(served)} gives the same gradient")
    _check_not_finite(objective, whole, loss)
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
    if "teacher_top" in needs and type(getattr(made, "top", None)) is not int:
        raise _broken("factory", f"made a {type(made).__name__} that needs the teacher's top and has no `top` that says of how many tokens")
    if "rollouts" in needs and not isinstance(getattr(made, "rollouts", None), Rollouts):
        raise _broken("factory", f"made a {type(made).__name__} that needs rollouts and has no `rollouts` that say how they are made")
    return made


def _top(logits: torch.Tensor, k: int) -> dict[str, torch.Tensor]:
    """Of each row the k most probable tokens, and the rest."""
    log_p = logits.log_softmax(1)
    best = log_p.topk(min(k, _VOCABULARY - 1), dim=1)
    rest = log_p.scatter(1, best.indices, -torch.inf).logsumexp(1, keepdim=True)
    return {"teacher_top": best.indices, "teacher_top_logprob": torch.cat([best.values, rest], dim=1)}


def _batch(objective: Objective, sequences: Sequence[int]) -> Batch:
    """The tokens of some of the four sequences, in the order given; each token's numbers depend on it alone."""

    def rows(salt: int) -> torch.Tensor:
        found = []
        for sequence in sequences:
            generator = torch.Generator().manual_seed(100 * salt + sequence)
            found.append(torch.randn(_LENGTHS[sequence], _VOCABULARY, dtype=torch.float64, generator=generator))
        return torch.cat(found)

    labels = torch.cat([torch.arange(_LENGTHS[sequence]) * (sequence + 2) % _VOCABULARY for sequence in sequences])
    row = torch.cat([torch.full((_LENGTHS[sequence],), place) for place, sequence in enumerate(sequences)])
    served = _served(objective.needs)
    top = getattr(objective, "top", 0) if "teacher_top" in served else 0
    given = {
        name: rows(salt).log_softmax(1).gather(1, labels[:, None])[:, 0] for name, salt in _LOG_PROBABILITIES.items() if name in served
    }
    every = torch.tensor(_REWARDS, dtype=torch.float64)
    groups = every.reshape(-1, _GROUP)
    advantage = ((groups - groups.mean(1, keepdim=True)) / (groups.std(1, keepdim=True) + 1e-4)).flatten()
    return Batch(
        logits=rows(1).requires_grad_(),
        labels=labels,
        sequence=row,
        normaliser=float(sum(_LENGTHS)),
        sequences=float(len(_LENGTHS)),
        max_new_tokens=max(_LENGTHS),
        progress=0.75,
        teacher_logits=rows(2) if "teacher_logits" in served else None,
        **_top(rows(2), top) if top else {},
        reward=every[list(sequences)] if "reward" in served else None,
        advantage=advantage[list(sequences)] if "advantage" in served else None,
        **given,
    )


def _served(needs: frozenset[str]) -> frozenset[str]:
    """The fields of a batch that an objective with these needs is given."""
    fields = needs & {"teacher_logits", "teacher_logprob", "reference_logprob"}
    if "teacher_top" in needs:
        fields |= {"teacher_top", "teacher_top_logprob"}
    if "rollouts" in needs:
        fields |= {"old_logprob"}
    if "rewards" in needs:
        fields |= {"reward", "advantage"} if "rollouts" in needs else {"reward"}
    return fields


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
    cut = [_batch(objective, part) for part in parts]
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


def _reads(objective: Objective, batch: Batch, loss: Loss, names: Sequence[str]) -> bool:
    """Whether the gradient is another one with these fields in another order."""
    other = dataclasses.replace(batch, **{name: getattr(batch, name).flip(0).clone() for name in names})
    return not torch.equal(_gradient(_loss(objective, other), other), _gradient(loss, batch))


def _check_not_finite(objective: Objective, batch: Batch, whole: Loss) -> None:
    served = [name for name in sorted(_served(objective.needs)) if getattr(batch, name).is_floating_point()]
    read = [name for name in served if _reads(objective, batch, whole, [name])]
    for name in ("logits", *read):
        for wrong in (float("nan"), float("-inf")) if name in _LOG_PROBABILITIES else (float("nan"),):
            damaged = getattr(batch, name).detach().clone()
            damaged[(1, 0) if damaged.dim() == 2 else 1] = wrong
            if name == "logits":
                damaged.requires_grad_()
            try:
                loss = objective.loss(dataclasses.replace(batch, **{name: damaged}))
            except Exception:  # noqa: S112 - an error is what is asked for
                continue
            if torch.isfinite(loss.value):
                raise _broken("not finite", f"{name} with a {wrong} gave {loss.value.item()}")
