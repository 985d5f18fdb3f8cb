"""What was learned before the trials, and is told to each of them: the requirement, the teacher's profile, the pilots, the pilot trials."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from readbench.api import Feedback, Pilot, Vector
from readbench.trials.feedback import from_record, frozen
from readbench.trials.record.trial_file import TrialRecord
from readbench.trials.requirement.choosing import used_requirement

_VECTORS = tuple(field.name for field in fields(Pilot) if field.type is Vector)


@dataclass(frozen=True, slots=True, kw_only=True)
class Briefing:
    """The same for all trials of a run."""

    requirement: Vector  # (K,) on the simplex: the one that the run uses
    teacher_profile: Vector | None = None  # (K,)
    teacher_exact: Vector | None = None  # (K,)
    teacher_loss: Vector | None = None  # (K,) nats a token
    pilots: tuple[Pilot, ...] = ()
    profiling: tuple[tuple[Feedback, ...], ...] = ()  # of pilot trials


def pilot_of(record: TrialRecord) -> Pilot:
    """The pilot in a complete trial's record."""
    assert record.start is not None  # noqa: S101 - it is complete
    start, (end,) = record.start, record.intervals
    return Pilot(
        allocation=frozen(np.array(end["allocation"])),
        tokens=end["charged"],
        profile_before=frozen(np.array(start["profile"])),
        profile_after=frozen(np.array(end["profile"])),
        exact_before=frozen(np.array(start["exact_match"])),
        exact_after=frozen(np.array(end["exact_match"])),
        soft_before=frozen(np.array(start["soft"])),
        soft_after=frozen(np.array(end["soft"])),
        utility_before=start["dev_exact"],
        utility_after=end["dev_exact"],
        soft_utility_before=start["dev_soft"],
        soft_utility_after=end["dev_soft"],
    )


def pilot_document(pilot: Pilot) -> dict[str, Any]:
    """A pilot as JSON values."""
    return {key: value.tolist() if key in _VECTORS else value for key, value in asdict(pilot).items()}


def pilot_from(document: Mapping[str, Any]) -> Pilot:
    """What `pilot_document` wrote."""
    return Pilot(**{name: frozen(np.array(value)) if name in _VECTORS else value for name, value in document.items()})  # type: ignore[arg-type]


def briefing_of(
    source: str,
    card: Sequence[float] | Vector,
    *,
    teacher: Mapping[str, Any],
    pilots: Mapping[str, Any],
    profiling: Mapping[str, Any],
    identified: Sequence[float] | None,
    joint: bool,
) -> Briefing:
    """The briefing from what a run directory holds of it: the teacher's measurements, what the pilots found, and the pilot trials."""
    profile, exact, loss = (None if (values := teacher.get(key)) is None else np.array(values) for key in ("profile", "exact", "loss"))
    made = tuple(pilot_from(each) for each in pilots.get("pilots", ()))
    return Briefing(
        requirement=used_requirement(source, card, pilots=made, identified=identified, joint=joint),
        teacher_profile=profile,
        teacher_exact=exact,
        teacher_loss=loss,
        pilots=made,
        profiling=tuple(tuple(from_record(interval) for interval in trial) for trial in profiling.get("trials", ())),
    )
