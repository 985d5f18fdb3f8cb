"""What is fuzzed: every parser of readbench, as a function of bytes that may raise a ReadbenchError and nothing else.

The finds of earlier runs lie in corpus/<target>/ and are replayed by test_corpus.py; run.py looks for more.
"""

import contextlib
import json
import warnings
from collections.abc import Callable
from typing import Any

from edits import Bytes, edited
from readers import folder, judged, read_all
from sound import QUESTIONS, RESULTS, SOUND, SUITE, TASK


def _suite(files: dict[str, bytes]) -> None:
    from readbench.suites.suite import load_suite

    with folder() as path:
        sound = {"suite.yaml": SUITE, "task.yaml": TASK, "manual.jsonl": QUESTIONS, "test.jsonl": QUESTIONS}
        for name, content in (sound | files).items():
            (path / name).write_bytes(content)
        suite = load_suite(str(path))
        suite.sources()
        suite.content_hash()


def suite(data: bytes) -> None:
    """``suite.yaml``."""
    _suite({"suite.yaml": data})


def task(data: bytes) -> None:
    """The suite's lm-eval task."""
    _suite({"task.yaml": data})


def questions(data: bytes) -> None:
    """A capability's questions and the test set, as JSON lines."""
    _suite({"manual.jsonl": data})
    _suite({"test.jsonl": data})


def config(data: bytes) -> None:
    """The file of ``--config``."""
    from readbench.runs.config import config_document, resolve

    with folder() as path:
        (path / "run.yaml").write_bytes(data)
        config_document(resolve("reasoning", file=path / "run.yaml", environment={}).config)


def settings(data: bytes) -> None:
    """``--set``, ``READBENCH_...`` and ``--seeds``: one a line."""
    from readbench.runs.config import parse_seeds, resolve

    lines = data.decode("utf-8", "surrogateescape").splitlines()
    if lines:
        parse_seeds(lines[0])
    environment = {f"READBENCH_{key}": value for key, _, value in (line.partition("=") for line in lines[1::2]) if key}
    resolve("reasoning", environment=environment, sets=lines[2::2]).hash()


def results(data: bytes) -> None:
    """``results.json`` as it comes."""
    from readbench.results.document.reading import load

    with folder() as path:
        (path / "results.json").write_bytes(data)
        read_all(load(path / "results.json"))


def document(data: bytes) -> None:
    """A nearly sound results document, and everything that reads one but the page."""
    read_all(loaded(edited(RESULTS, data)))


def page(data: bytes) -> None:
    """A nearly sound results document as a report."""
    from readbench.views.report.page import build

    found = loaded(edited(RESULTS, data))
    if found.complete:
        build(found).encode()


def loaded(found: Any) -> Any:
    from readbench.results.document.reading import load

    with folder() as path:
        (path / "results.json").write_text(_json(found))
        return load(path / "results.json")


def _json(value: Any) -> str:
    try:
        return json.dumps(value)
    except ValueError:  # a number of more digits than Python prints
        return json.dumps(value, default=str)


def trial_file(data: bytes) -> None:
    """``trial.sqlite`` as it comes."""
    from readbench.trials.record.trial_file import read_trial

    with folder() as path:
        trial = path / "trial"
        trial.mkdir()
        (trial / "trial.sqlite").write_bytes(data)
        read_trial(trial)


def baseline(data: bytes) -> None:
    """The gate's baseline, nearly sound where the first byte is even, else as it comes."""
    from readbench.views.gate.baseline import baseline_of, read_baseline, write_baseline

    with folder() as path:
        file = path / "baseline.json"
        if data[:1] and data[0] % 2:
            file.write_bytes(data[1:])
        else:
            write_baseline(file, baseline_of(SOUND))
            file.write_text(_json(edited(json.loads(file.read_text()), data[1:])))
        judged(SOUND, read_baseline(file))


def prices(data: bytes) -> None:
    """The file of ``--prices``, and the spend limit beside it."""
    from readbench.teachers.endpoint.settings import EndpointConfig
    from readbench.teachers.spend.prices import read_price, spend_limit

    with folder() as path:
        (path / "prices.yaml").write_bytes(data)
        price = read_price(path / "prices.yaml", "m")
        price.of(10**6, 10**6)
        limit = spend_limit(EndpointConfig(spend_limit=f"5 {price.currency}"[:5], prices=str(path / "prices.yaml")), "m")
        limit.holds(2**31, 2**31)
        str(limit)


def fields(data: bytes) -> None:
    """The request fields that a user leaves out (the first line) or adds (the others)."""
    from readbench.teachers.endpoint.fields import parse_fields, parse_omit

    omit, _, added = data.decode("utf-8", "surrogateescape").partition("\n")
    json.dumps(parse_fields(added, omit=parse_omit(omit)), allow_nan=False).encode()


def answer(data: bytes) -> None:
    """The body of an endpoint's response, of either API."""
    from readbench.teachers.endpoint.faults import Fault
    from readbench.teachers.endpoint.schema import parse_completion

    for api in ("chat", "completions"):
        for kind in ("application/json", "\x1b[31mtext\r\n"):
            try:
                completion = parse_completion(api, data, kind)
            except Fault as fault:
                if len(str(fault).splitlines()) != 1:
                    raise AssertionError("a fault is one line") from fault
            else:
                completion.text.encode()


def drawn(data: bytes) -> None:
    """What a sampler's server says of its models, and the rollout that it draws."""
    from readbench.teachers.endpoint.faults import Fault
    from readbench.trials.environments.rollouts.wire import parse_drawn, parse_served

    request = {"prompt": [5, 6], "max_tokens": 3, "stop_token_ids": [1]}
    for read in (parse_served, lambda content: parse_drawn(content, request, num_tokens=8)):
        try:
            read(data)
        except Fault as fault:
            if len(str(fault).splitlines()) != 1:
                raise AssertionError("a fault is one line") from fault


def pyproject(data: bytes) -> None:
    """``[tool.readbench.check]``."""
    from readbench.suites.metric_names import metrics_of
    from readbench.views.gate.margins import read_settings, resolve_margins

    with folder() as path:
        (path / "pyproject.toml").write_bytes(data)
        resolve_margins(metrics_of(["math"]), suite={}, settings=read_settings(path), flags=(), metrics=None)


def model(data: bytes) -> None:
    """A model folder: the first byte says which of its files the rest is."""
    from readbench.models.counting import open_counter
    from readbench.models.folder import check_model, context_length
    from readbench.models.loading.headers import num_parameters

    names = ("config.json", "tokenizer.json", "model.safetensors", "model.safetensors.index.json")
    choices = Bytes(data)
    name = names[choices.below(len(names))]
    with folder() as path:
        (path / "config.json").write_text('{"model_type": "llama", "max_position_embeddings": 256}')
        (path / "tokenizer.json").write_text("{}")
        (path / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
        (path / name).write_bytes(choices.rest())
        check_model(path)
        context_length(path)
        num_parameters(path)
        if name == "tokenizer.json":
            open_counter(path).count("What is 2+2?")


def states(data: bytes) -> None:
    """The bytes that the C++ core keeps of itself, with a right checksum: ValueError, and memory only for what is there."""
    from readbench import _core
    from readbench.base.errors import ReadbenchError

    kinds = (("readbench.ledger", _core.Ledger), ("readbench.scheduler", _core.Scheduler), ("readbench.bandit", _core.EnsembleBandit))
    choices = Bytes(data)
    magic, kind = kinds[choices.below(len(kinds))]
    body = magic.encode() + choices.rest()
    checksum = 0xCBF29CE484222325
    for byte in body:
        checksum = ((checksum ^ byte) * 0x100000001B3) % 2**64
    for state in (body + checksum.to_bytes(8, "little"), data):
        try:
            read = kind.from_bytes(state)
        except ValueError as error:
            refused: Exception = error
        else:
            if read.to_bytes() != state:
                raise AssertionError("a state that was taken reads back as another")
            continue
        if not str(refused):
            raise AssertionError("a refusal says why")
    raise ReadbenchError("done")


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        suite,
        task,
        questions,
        config,
        settings,
        results,
        document,
        page,
        trial_file,
        baseline,
        pyproject,
        prices,
        fields,
        answer,
        drawn,
        model,
        states,
    )
}


def refuses_or_reads(target: str, data: bytes) -> None:
    """Runs a target; a ReadbenchError is an answer, all else is a find, a warning of NumPy too."""
    from readbench.base.errors import ReadbenchError

    with warnings.catch_warnings(), contextlib.suppress(ReadbenchError):
        warnings.simplefilter("error", RuntimeWarning)
        TARGETS[target](data)
