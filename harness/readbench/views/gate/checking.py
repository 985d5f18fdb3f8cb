"""`readbench check` from its arguments to its exit code: reads everything, judges, writes what was asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from readbench.base.errors import ConfigError
from readbench.base.files import write_bytes
from readbench.results.document.model import Results
from readbench.results.document.reading import load
from readbench.results.merging import merge
from readbench.suites.metric_names import metrics_of
from readbench.views.gate.baseline import read_baseline
from readbench.views.gate.formats.github import SUMMARY, append_summary
from readbench.views.gate.formats.junit import junit_xml
from readbench.views.gate.formats.markdown import markdown
from readbench.views.gate.margins import read_settings, resolve_margins
from readbench.views.gate.outcome import Outcome, examine, require_complete, require_same_measurement
from readbench.views.gate.outputs import checked_outputs
from readbench.views.gate.update import Update, update_baseline


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the command line asks for."""

    runs: tuple[Path, ...]  # judged as one
    baseline: Path
    margins: Sequence[str] = ()  # METRIC=DELTA
    metrics: str | None = None
    junit: Path | None = None
    markdown: Path | None = None
    inconclusive: Literal["warn", "fail"] | None = None  # None: as pyproject.toml says


def check(request: Request, environment: Mapping[str, str]) -> Outcome:
    """The outcome, written to the files that were asked for and to GitHub's summary."""
    summary = Path(environment[SUMMARY]) if environment.get(SUMMARY) else None
    outputs = checked_outputs({"--baseline": request.baseline, "--junit": request.junit, "--markdown": request.markdown})
    if summary is not None:
        append_summary(summary, "")
    settings = read_settings(Path.cwd())
    results = _results(request)
    margins = resolve_margins(
        metrics_of(results.suite.capabilities),
        suite=results.suite.margins,
        settings=settings,
        flags=request.margins,
        metrics=request.metrics,
    )
    baseline = read_baseline(request.baseline)
    require_same_measurement(results, baseline, request.baseline)
    outcome = examine(results, baseline, margins, inconclusive=request.inconclusive or settings[0].inconclusive)
    text = markdown(outcome)
    if "--junit" in outputs:
        write_bytes(outputs["--junit"], junit_xml(outcome))
    if "--markdown" in outputs:
        write_bytes(outputs["--markdown"], text.encode())
    if summary is not None:
        append_summary(summary, text)
    return outcome


def _results(request: Request) -> Results:
    """The runs as one; ConfigError where they differ in more than the allocator, IncompleteRunError where a trial has no result."""
    results = merge([load(run) for run in request.runs]).results
    require_complete(results, " ".join(map(str, request.runs)))
    return results


def update(request: Request) -> Update:
    """Makes the baseline from the run, or replaces it; ConfigError for an option that has no effect on that."""
    given = {
        "--margin": request.margins,
        "--metrics": request.metrics,
        "--junit": request.junit,
        "--markdown": request.markdown,
        "--inconclusive": request.inconclusive,
    }
    idle = [flag for flag, value in given.items() if value]
    if idle:
        raise ConfigError(f"--update judges nothing, so {idle[0]} has no use", hint="drop one of them")
    checked_outputs({"--baseline": request.baseline})
    results = _results(request)
    return update_baseline(request.baseline, results)
