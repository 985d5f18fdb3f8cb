"""What an objective and an optimiser ask for, checked, and what that costs (torch-free: a run is planned with it)."""

import importlib.util

from readbench.api import NEEDS, Objective, Rollouts
from readbench.base.errors import ConfigError

_ANYWHERE = frozenset({"teacher_logits", "teacher_top"})  # of what the teacher wrote too
_READ_BY_TEACHER = _ANYWHERE | {"teacher_logprob"}


def check_optimizer(name: str) -> None:
    """ConfigError where its library is not installed."""
    if name == "adamw-8bit" and importlib.util.find_spec("bitsandbytes") is None:
        raise ConfigError(
            "optimizer adamw-8bit needs bitsandbytes, which is not installed", hint="pip install 'readbench[8bit]', or take adamw"
        )


def asked_by(name: str, objective: Objective) -> tuple[frozenset[str], Rollouts | None]:
    """An objective's needs, and how its rollouts are made (None: it needs none); ConfigError where nobody can serve it."""
    needs, rollouts = frozenset(objective.needs), getattr(objective, "rollouts", None)
    if unknown := needs - NEEDS:
        raise ConfigError(f"objective {name!r} needs {', '.join(sorted(unknown))}, which readbench does not serve")
    if "teacher_top" in needs and not (type(top := getattr(objective, "top", None)) is int and top > 0):
        raise ConfigError(
            f"objective {name!r} needs the teacher's top, and does not say of how many tokens: its attribute top must be an int"
        )
    if "rollouts" not in needs:
        return needs, None
    if not isinstance(rollouts, Rollouts):
        raise ConfigError(
            f"objective {name!r} needs rollouts, and does not say how they are made: its attribute rollouts must be a Rollouts"
        )
    return needs, rollouts


def top_of(objective: Objective) -> tuple[int, float] | None:
    """How many of the teacher's most probable tokens an objective reads, and at what temperature; None if it reads none."""
    if "teacher_top" not in objective.needs:
        return None
    return objective.top, float(getattr(objective, "temperature", 1.0))  # type: ignore[attr-defined]


def reads_teacher(needs: frozenset[str], *, own: bool = True) -> bool:
    """Whether the teacher reads each rollout (`own`), or each answer of its own."""
    return bool(needs & (_READ_BY_TEACHER if own else _ANYWHERE))


def num_readers(needs: frozenset[str], *, own: bool = True) -> int:
    """Models that read each rollout (`own`) or answer of the teacher: the teacher, and the student as it was untrained."""
    return reads_teacher(needs, own=own) + (own and "reference_logprob" in needs)


def dearest_group(prompt_tokens: int, max_new_tokens: int, rollouts: Rollouts, *, readers: int) -> int:
    """Tokens that the answers to a prompt may charge at most: written, read by the student and by the models that judge them.

    With a hint there may be twice as many, and the teacher's answer that it is taken from.
    """
    answers = rollouts.group_size * (max_new_tokens + (1 + readers) * (prompt_tokens + max_new_tokens))
    return 2 * answers + max_new_tokens if rollouts.hint else answers
