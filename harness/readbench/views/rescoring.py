"""What ``readbench evaluate`` does: scores a run's students on the test set of today, writes the results next to the run's own."""

import sys
from dataclasses import replace
from pathlib import Path

import torch

from readbench.base import machine
from readbench.base.errors import ConfigError
from readbench.base.files import make_folder, sealed, write_json
from readbench.models.folder import resolve_device
from readbench.results.document.model import Results
from readbench.results.merging import merge
from readbench.results.rescoring import rescore
from readbench.results.summary import summarise
from readbench.runs.directory import places
from readbench.runs.executors.fingerprint import fingerprint
from readbench.runs.planning.estimate import questions_hash
from readbench.suites.suite import load_suite
from readbench.trials.record.run_files import read_run
from readbench.views.console.closing import verdict
from readbench.views.console.tables import print_tables
from readbench.views.console.text import cell, console_for, write_line
from readbench.views.console.text import write_json as print_json


def write_rescored(run_dir: Path, *, suite: str | None, device: str, out: Path | None, as_json: bool) -> None:
    """Writes the results and shows them; ConfigError where more than the suite's test set has changed."""
    run = read_run(run_dir)
    found = places(run_dir, run)
    loaded = load_suite(suite or found["suite"])
    if questions_hash(loaded) != run["provenance"]["data"]:
        raise ConfigError(f"the questions of suite {loaded.name} have changed too", hint="only the test set may change: run the suite anew")
    torch.set_num_threads(1)  # as in a trial: the same bits
    device = resolve_device(device)
    results = _marked(rescore(run_dir, loaded, student=found["student"], device=device, observe=write_line), device)
    path = out or run_dir / "rescored" / f"{loaded.content_hash()[:8]}.json"
    make_folder(path.parent)
    write_json(path, sealed(results.document()))
    if as_json:
        print_json(results.document())
        return
    console, summary = console_for(sys.stdout), summarise(merge([results]).results)
    print_tables(console, summary)
    for line in (*verdict(summary), f"results: {path}"):
        console.print(cell(line), soft_wrap=True)


def _marked(results: Results, device: str) -> Results:
    """With the code that scored, and with this machine among those that the run was continued on, where it computes other bits."""
    environment, now = results.environment, fingerprint(device)
    drift = environment.get("drift") or []
    if not any(machine.same_bits(each, now) for each in (environment.get("fingerprint") or {}, *drift)):
        drift = [*drift, now]
    return replace(
        results,
        provenance=replace(results.provenance, code=machine.code_hash()),
        environment=environment | {"drift": drift},
    )
