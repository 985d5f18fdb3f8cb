"""The identifier: what it learns from tasks of known requirements, what it keeps on disk, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from readbench.api import Vector
from readbench.base.errors import ConfigError
from readbench.models.folder import fingerprint
from readbench.trials.requirement.choosing import used_requirement
from readbench.trials.requirement.encoder import embed
from readbench.trials.requirement.identifier import Identifier, Task, explained, fit, leave_one_out
from readbench.trials.requirement.known import HEAD, NOTES, check_identifier, read_notes
from support.models import write_encoder

CAPABILITIES = ("math", "code", "facts", "words")


def task(index: int, requirement: Vector, *, scale: float = 1.0, noise: float = 0.02) -> Task:
    """A task whose card says its requirement in a noisy direction of its own, and whose pilots obey it."""
    rng = np.random.default_rng(index)
    changes = rng.uniform(0, 1, (16, 4)) * (rng.uniform(size=(16, 4)) < 0.5)
    gains = scale * (changes @ requirement) + noise * rng.normal(size=16)
    embedding = np.concatenate([requirement, 0.1 * rng.normal(size=8)]).astype(np.float32)
    return Task(name=f"t{index}", embedding=embedding, changes=changes, gains=gains, known=np.ones(4, dtype=np.bool_))


def tasks(count: int = 16, **more: float) -> tuple[list[Task], list[Vector]]:
    rng = np.random.default_rng(5)
    requirements = [rng.dirichlet(np.full(4, 0.4)) for _ in range(count)]
    return [task(n, r, **more) for n, r in enumerate(requirements)], requirements


def distance(answers: list[Vector], requirements: list[Vector]) -> float:
    return float(np.mean([np.abs(a - r).sum() / 2 for a, r in zip(answers, requirements, strict=True)]))


@pytest.mark.parametrize("scale", [1.0, 7.0])
def test_a_task_that_was_left_out_is_read_from_its_card_whatever_the_scale_of_its_utility(scale: float) -> None:
    torch.set_num_threads(1)
    known, requirements = tasks(scale=scale)
    answers = leave_one_out(known, CAPABILITIES)
    assert distance(answers, requirements) < 0.2
    assert distance([np.full(4, 0.25)] * 16, requirements) > 0.4
    assert all(answer.sum() == pytest.approx(1) and (answer >= 0).all() for answer in answers)
    assert np.mean([explained(t, a) for t, a in zip(known, answers, strict=True)]) > 0.9


def test_a_larger_penalty_gives_sharper_requirements() -> None:
    known, _ = tasks(8, noise=0.3)
    entropies = []
    for penalty in (0.0, 0.5):
        fitted = fit(known, CAPABILITIES, encoder="e", encoder_fingerprint="f", entropy=penalty)
        weights = np.array([fitted.weights(t.embedding, CAPABILITIES) for t in known])
        entropies.append(-(weights * np.log(weights)).sum(1).mean())
    assert entropies[1] < entropies[0] / 2


def test_what_a_requirement_explains_is_one_less_the_unexplained_share() -> None:
    exact = task(0, np.array([0.5, 0.5, 0.0, 0.0]), scale=3.0, noise=0.0)
    assert explained(exact, np.array([0.5, 0.5, 0.0, 0.0])) == pytest.approx(1.0)
    against = Task(name="x", embedding=exact.embedding, changes=exact.changes, gains=-exact.gains, known=exact.known)
    assert explained(against, np.array([0.5, 0.5, 0.0, 0.0])) == pytest.approx(0.0)  # a is never negative


def test_a_suite_of_fewer_capabilities_gets_weights_over_its_own() -> None:
    known, _ = tasks(8)
    fitted = fit(known, CAPABILITIES, encoder="e", encoder_fingerprint="f")
    whole = fitted.weights(known[0].embedding, CAPABILITIES)
    some = fitted.weights(known[0].embedding, ("words", "math"))
    assert some == pytest.approx(whole[[3, 0]] / whole[[3, 0]].sum())


def test_the_choice_is_the_card_s_until_the_identifier_has_answered() -> None:
    card, read = [0.75, 0.25], [0.1, 0.9]
    chosen = {source: used_requirement(source, card, pilots=(), identified=read, joint=True).tolist() for source in ("card", "identifier")}
    assert chosen == {"card": card, "identifier": read}
    assert used_requirement("identifier", card, pilots=(), identified=None, joint=True).tolist() == card


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT over a few words."""
    folder = tmp_path_factory.mktemp("encoder")
    write_encoder(folder)
    return folder


def test_a_text_has_one_unit_vector_in_any_company_and_a_long_one_is_cut(encoder: Path) -> None:
    both = embed(encoder, ["sums and programs", "the capitals of files"])
    assert np.array_equal(both[1], embed(encoder, ["the capitals of files"])[0])
    assert np.linalg.norm(both, axis=1) == pytest.approx([1, 1], abs=1e-6)
    assert not np.allclose(both[0], both[1])
    assert np.array_equal(*embed(encoder, ["sums " * 8, "sums " * 8 + "capitals"]))


def test_an_encoder_with_code_of_its_own_is_refused(encoder: Path, tmp_path: Path) -> None:
    config = json.loads((encoder / "config.json").read_text())
    for file in encoder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "homemade", "auto_map": {"AutoModel": "m.M"}}))
    with pytest.raises(ConfigError, match="needs code from its own folder"):
        embed(tmp_path, ["sums"])


def test_an_encoder_that_lacks_weights_is_refused_and_one_without_a_pooler_is_not(encoder: Path, tmp_path: Path) -> None:
    for file in encoder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = safetensors.torch.load((encoder / "model.safetensors").read_bytes())
    known = {"pooler": "", "encoder.layer.0.output.dense": "lacks 2 weights of its config: encoder.layer.0.output.dense.bias"}
    for part, said in known.items():
        kept = {name: tensor for name, tensor in weights.items() if not name.startswith(f"{part}.")}
        assert len(kept) == len(weights) - 2
        (tmp_path / "model.safetensors").write_bytes(safetensors.torch.save(kept, metadata={"format": "pt"}))
        if said:
            with pytest.raises(ConfigError, match=said):
                embed(tmp_path, ["sums"])
        else:
            assert np.array_equal(embed(tmp_path, ["sums"]), embed(encoder, ["sums"]))


@pytest.fixture
def saved(encoder: Path, tmp_path: Path) -> Path:
    known, _ = tasks(4)
    fit(known, CAPABILITIES, encoder=str(encoder), encoder_fingerprint=fingerprint(encoder)).save(tmp_path / "id")
    return tmp_path / "id"


def test_a_saved_identifier_reads_the_same(saved: Path) -> None:
    known, _ = tasks(4)
    again = Identifier.load(saved, read_notes(saved))
    fitted = fit(known, CAPABILITIES, encoder="e", encoder_fingerprint="f")
    assert np.array_equal(again.weights(known[0].embedding, CAPABILITIES), fitted.weights(known[0].embedding, CAPABILITIES))
    assert again.notes.tasks == ("t0", "t1", "t2", "t3")
    assert len(check_identifier(saved, ("code", "math"))) == 32


def test_what_does_not_fit_is_one_line(saved: Path, encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"knows no capability 'maths'.*did you mean 'math'"):
        check_identifier(saved, ("maths",))
    with pytest.raises(ConfigError, match="holds no identifier"):
        check_identifier(tmp_path / "none", ("math",))
    notes = json.loads((saved / NOTES).read_text())
    (saved / NOTES).write_text(json.dumps(notes | {"encoder_fingerprint": "0" * 32}))
    with pytest.raises(ConfigError, match="was fitted with another encoder than"):
        check_identifier(saved, ("math",))
    (saved / NOTES).write_text(json.dumps(notes | {"schema": 2}))
    with pytest.raises(ConfigError, match="schema 2 is not known"):
        read_notes(saved)
    (saved / NOTES).write_text(json.dumps(notes))
    (saved / HEAD).write_bytes((saved / HEAD).read_bytes()[:100])
    with pytest.raises(ConfigError, match=r"head\.safetensors is damaged"):
        Identifier.load(saved, read_notes(saved))
    assert fingerprint(encoder) == notes["encoder_fingerprint"]
