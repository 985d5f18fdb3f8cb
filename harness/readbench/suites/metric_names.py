"""The metrics of a suite by name: which direction is better, and how each counts in a comparison."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Family = Literal["primary", "capability", "exploratory"]
PRIMARY = "utility"
PROFILE = "profile."
_EXPLORATORY = {"utility_gain": True, "profile_gain": True, "spillover": False, "collateral": False, "waste": False, "auc": True}

# The metrics that a run's tables show, in this order.
METRICS = (PRIMARY, *_EXPLORATORY)


@dataclass(frozen=True, slots=True)
class Metric:
    """A compared metric and how it counts: the primary endpoint, one of the family of capabilities, or exploratory."""

    name: str
    higher_is_better: bool
    family: Family


def metrics_of(capabilities: Sequence[str]) -> tuple[Metric, ...]:
    """Every metric of a suite with these capabilities."""
    return (
        Metric(PRIMARY, True, "primary"),
        *(Metric(PROFILE + capability, True, "capability") for capability in capabilities),
        *(Metric(name, higher, "exploratory") for name, higher in _EXPLORATORY.items()),
    )
