"""A run held against its baseline: the verdicts, what else changed, and the exit code."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from dataclasses import dataclass as plain_dataclass
from pathlib import Path
from typing import Any, Literal

from readbench.base import machine
from readbench.base.errors import ConfigError, IncompleteRunError, near_match
from readbench.results.document.model import Results
from readbench.results.scores import metric_values
from readbench.results.stats import MIN_PAIRS
from readbench.views.gate.baseline import Baseline
from readbench.views.gate.margins import Margin
from readbench.views.gate.measurement import config_hash, differences, measurement_of, settings_of
from readbench.views.gate.verdicts import Status, Verdict, judge

EXIT_CODES = {"regression": 1, "inconclusive": 3}  # the second only where the gate is told to fail on it
_ORDER = tuple(Status)
_MORE_SEEDS = f"make a baseline of at least {MIN_PAIRS} seeds with --update"


@plain_dataclass(frozen=True, kw_only=True)
class Outcome:
    """Everything that the gate reports."""

    suite: str  # "reasoning v1"
    run: str
    verdicts: tuple[Verdict, ...]  # by allocator, then metric
    margins: tuple[Margin, ...]
    changes: tuple[str, ...]  # since the baseline, one `key old → new` each
    same_config: bool
    same_bits: bool  # the run was made where the same bits are computed as the baseline
    new_allocators: tuple[str, ...]  # of the run, which the baseline does not hold
    inconclusive: Literal["warn", "fail"]

    @property
    def status(self) -> Status:
        """The worst of the verdicts."""
        return max((verdict.status for verdict in self.verdicts), key=_ORDER.index)

    @property
    def exit_code(self) -> int:
        """The command's exit code."""
        if self.status is Status.INCONCLUSIVE and self.inconclusive == "warn":
            return 0
        return EXIT_CODES.get(self.status, 0)

    def of(self, status: Status) -> tuple[Verdict, ...]:
        """The verdicts of one status."""
        return tuple(verdict for verdict in self.verdicts if verdict.status is status)

    def document(self) -> dict[str, Any]:
        """The outcome as JSON values."""
        return {
            "outcome": self.status,
            "exit_code": self.exit_code,
            "suite": self.suite,
            "run": self.run,
            "same_config": self.same_config,
            "same_bits": self.same_bits,
            "changes": list(self.changes),
            "new_allocators": list(self.new_allocators),
            "margins": {margin.metric.name: {"delta": margin.delta, "origin": margin.origin} for margin in self.margins},
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
        }


def require_complete(results: Results, path: str) -> None:
    """IncompleteRunError where a trial of the run has no result."""
    if not results.trials:
        raise IncompleteRunError(f"{path} holds no trial", hint="give a run that has some")
    missing = results.unfinished
    if missing:
        first = missing[0]
        raise IncompleteRunError(
            f"{len(missing)} of {len(results.trials)} trials of {path} have no result ({first.allocator}, seed {first.seed}: "
            f"{first.status})",
            hint=f"resume with: readbench resume {path}",
        )


def require_same_measurement(results: Results, baseline: Baseline, baseline_path: Path) -> None:
    """ConfigError that names what differs in the measurement, with both values."""
    differing = differences(baseline.measurement, measurement_of(results))
    if differing:
        raise ConfigError(
            f"the run does not measure what baseline {baseline_path} measured: {'; '.join(differing)}",
            hint="run with the baseline's settings, or make a new baseline with --update",
        )


def examine(results: Results, baseline: Baseline, margins: Sequence[Margin], *, inconclusive: Literal["warn", "fail"] = "warn") -> Outcome:
    """Every allocator of the baseline by every gated metric.

    ConfigError where the run lacks an allocator or either lacks a metric; IncompleteRunError where the shared seeds cannot carry
    any verdict: none, or a single one that differs.
    """
    values = metric_values(results)
    for allocator in baseline.values:
        if allocator not in values:
            raise ConfigError(
                f"the run has no allocator {allocator!r}, which the baseline holds",
                hint=f"run it too, or make a new baseline with --update; {near_match(allocator, values)}",
            )
    verdicts = [
        _verdict(allocator, margin, values[allocator], held) for allocator, held in sorted(baseline.values.items()) for margin in margins
    ]
    return Outcome(
        suite=f"{results.suite.name} v{results.suite.version}",
        run=results.run,
        verdicts=tuple(verdicts),
        margins=tuple(margins),
        changes=differences(baseline.settings, settings_of(results, allocators=baseline.values)),
        same_config=config_hash(results) == baseline.config_hash,
        same_bits=_same_bits(results, baseline),
        new_allocators=tuple(sorted(values.keys() - baseline.values.keys())),
        inconclusive=inconclusive,
    )


def _same_bits(results: Results, baseline: Baseline) -> bool:
    then = {key: baseline.settings.get(f"fingerprint.{key}") for key in machine.DETERMINES if f"fingerprint.{key}" in baseline.settings}
    return machine.same_bits(then, results.environment.get("fingerprint") or {})


def _verdict(allocator: str, margin: Margin, values: Mapping[str, Mapping[int, float]], held: Mapping[str, Mapping[int, float]]) -> Verdict:
    name = margin.metric.name
    for where, by_metric in (("the baseline", held), ("the run", values)):
        if not by_metric.get(name):
            raise ConfigError(
                f"{where} has no {name!r} of {allocator!r}", hint="gate other --metrics, or make a new baseline with --update"
            )
    wanted = ",".join(map(str, sorted(held[name])))
    shared = held[name].keys() & values[name].keys()
    if not shared:
        raise IncompleteRunError(f"{allocator}: the run shares no seed with the baseline", hint=f"run the baseline's seeds: {wanted}")
    verdict = judge(allocator, margin.metric, values[name], held[name], margin=margin.delta)
    if len(shared) == 1 and verdict.status is not Status.IDENTICAL:
        raise IncompleteRunError(
            f"{allocator}, {name}: the run and the baseline differ and share one seed, which shows no spread",
            hint=f"run at least {MIN_PAIRS} of the baseline's seeds: {wanted}" if len(held[name]) >= MIN_PAIRS else _MORE_SEEDS,
        )
    return verdict
