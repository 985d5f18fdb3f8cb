"""Everything that reads a results document, one after another: what compare, check, results and run do with it."""

import contextlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sound import SOUND


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards, in memory where there is such a place."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of one's own is made in it
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None, prefix="readbench-fuzz-") as path:
        yield Path(path)


def read_all(found: Any) -> None:
    """Each reader on its own: a refusal by one says nothing about the next."""
    from readbench.base.errors import ReadbenchError

    for read in READERS:
        with contextlib.suppress(ReadbenchError):
            read(found)


def _tables(found: Any) -> None:
    from readbench.results.summary import summarise
    from readbench.views.console.closing import closing_lines
    from readbench.views.console.tables import print_tables
    from readbench.views.console.text import console_for

    summary = summarise(found)
    print_tables(console_for(io.StringIO()), summary)
    if summary.allocators:
        closing_lines(summary, Path("run"))
    json.dumps(found.document(), allow_nan=False)


def _comparison(found: Any) -> None:
    from readbench.results.comparison import compare
    from readbench.views.console import exports
    from readbench.views.console.comparison import print_comparison
    from readbench.views.console.text import console_for

    comparison = compare(found, reference="uniform")
    print_comparison(console_for(io.StringIO()), comparison, title=found.suite.name)
    exports.to_markdown(comparison, title=found.suite.name)
    exports.to_latex(comparison, title=found.suite.name)
    exports.to_csv(comparison)
    json.dumps(comparison.document(), allow_nan=False)


def _merged(found: Any) -> None:
    from readbench.results.merging import merge

    merge([found, SOUND])
    merge([SOUND, found], allow_mismatch=True)


def _exports(found: Any) -> None:
    from readbench.results import tables

    with folder() as path:
        tables.write_csv(found, path)
        tables.write_parquet(found, path)


def _gate(found: Any) -> None:
    from readbench.views.gate.baseline import baseline_of, read_baseline, write_baseline

    judged(found, baseline_of(SOUND))
    with folder() as path:
        write_baseline(path / "baseline.json", baseline_of(found))
        judged(SOUND, read_baseline(path / "baseline.json"))


def judged(found: Any, held: Any) -> None:
    from readbench.suites.metric_names import metrics_of
    from readbench.views.console.text import console_for
    from readbench.views.gate.formats.junit import junit_xml
    from readbench.views.gate.formats.markdown import markdown
    from readbench.views.gate.formats.table import print_outcome
    from readbench.views.gate.margins import CheckSettings, resolve_margins
    from readbench.views.gate.outcome import examine, require_same_measurement

    margins = resolve_margins(
        metrics_of(found.suite.capabilities),
        suite=found.suite.margins,
        settings=(CheckSettings(), "default"),
        flags=("auc=0.02",),
        metrics=None,
    )
    require_same_measurement(found, held, Path("baseline.json"))
    outcome = examine(found, held, margins)
    print_outcome(console_for(io.StringIO()), outcome)
    markdown(outcome).encode()
    junit_xml(outcome)
    json.dumps(outcome.document(), allow_nan=False)


READERS = (_tables, _comparison, _merged, _exports, _gate)
