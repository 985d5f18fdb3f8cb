"""Simulated trials as a table or JSON, always labelled as simulated."""

import sys
from typing import TYPE_CHECKING, Any

from readbench.results.stats.paired import Difference, estimate, paired_difference
from readbench.views.console.text import cell, console_for, new_table, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from readbench.runs.studies.simulation import SimulatedTrial, Simulation


def show_simulation(simulation: "Simulation", *, reference: str, as_json: bool) -> None:
    """The best first, each with its difference to the reference on the same seeds; then how far to believe it."""
    rows = sorted((_row(simulation, name, reference) for name in simulation.trials), key=lambda row: -row["utility"])
    validity = simulation.validity
    if as_json:
        write_json(
            {
                "simulated": True,
                "suite": simulation.suite,
                "recorded_trials": simulation.num_recorded,
                "r2": {"utility": validity.utility, "scores": validity.scores},
                "rank_correlation": validity.rank_correlation,
                "mixes": {mix: {"measured": validity.measured[mix], "predicted": validity.predicted[mix]} for mix in validity.measured},
                "reference": reference,
                "allocators": rows,
            }
        )
        return
    console = console_for(sys.stdout)
    console.print(cell(f"simulated, not measured: {simulation.suite}, {rows[0]['seeds']} seeds", "bold"))
    table = new_table()
    for number, name in enumerate(("simulated", "utility", "sd", f"against {reference}", "spillover", "collateral", "ms a decision")):
        table.add_column(name, justify="right" if number else "left")
    for row in rows:
        shown = "" if row["difference"] is None else f"{row['difference']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f})"
        table.add_row(
            cell(row["allocator"]),
            f"{row['utility']:.3f}",
            "" if row["sd"] is None else f"{row['sd']:.3f}",
            shown,
            f"{row['spillover']:.3f}",
            f"{row['collateral']:.3f}",
            f"{row['milliseconds']:.2f}",
        )
    console.print(table)
    console.print(
        cell(
            f"fitted to {simulation.num_recorded} recorded trials of {len(validity.measured)} mixes. On mixes left out, from their "
            f"allocations alone, it explains {validity.utility:.2f} of the utility's variance and {validity.scores:.2f} of what scores "
            f"change; its ranking of them correlates with the measured one at {validity.rank_correlation:.2f} (Spearman). Intervals "
            "hold the model's noise, not its error"
        )
    )


def _row(simulation: "Simulation", name: str, reference: str) -> dict[str, Any]:
    trials = simulation.trials[name]
    utility = _by_seed(trials, "utility")
    mean = estimate(list(utility.values()))
    assert mean is not None  # noqa: S101 - a simulation has a seed
    against: Difference | None = None
    if name != reference and reference in simulation.trials:
        against = paired_difference(utility, _by_seed(simulation.trials[reference], "utility"))
    interval = None if against is None else against.interval
    return {
        "allocator": name,
        "seeds": mean.n,
        "utility": mean.mean,
        "sd": mean.sd,
        "difference": None if interval is None or against is None else against.mean,
        "low": None if interval is None else interval[0],
        "high": None if interval is None else interval[1],
        "spillover": sum(_by_seed(trials, "spillover").values()) / mean.n,
        "collateral": sum(_by_seed(trials, "collateral").values()) / mean.n,
        "milliseconds": 1000 * simulation.decision_seconds[name],
    }


def _by_seed(trials: "Mapping[int, SimulatedTrial]", metric: str) -> dict[int, float]:
    return {seed: getattr(trial, metric) for seed, trial in trials.items()}
