"""An identifier fitted on the pilots of several suites, and how well it does on a suite that it has not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from readbench.api import Vector
from readbench.base.errors import ConfigError
from readbench.models.folder import fingerprint, resolve_model
from readbench.runs.references import model_place
from readbench.suites.suite import Suite
from readbench.trials.briefing import pilot_from
from readbench.trials.requirement.by_pilots import infer
from readbench.trials.requirement.encoder import embed
from readbench.trials.requirement.identifier import ENTROPY, Identifier, explained, fit, leave_one_out, task_of
from readbench.trials.requirement.known import read_notes

FEWEST = 3  # tasks: with fewer, leaving one out leaves nothing to learn from


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """Of one suite's pilots, the share of the utility's changes that a requirement explains, in [0, 1]."""

    suite: str
    unseen: float  # an identifier that was fitted on the other suites
    card: float
    pilots: float  # the requirement that these very pilots infer


def check_fit(suites: Sequence[Suite], encoder: str) -> None:
    """ConfigError, before any pilot is made, for too few suites or an encoder that cannot be used."""
    if len(suites) < FEWEST:
        raise ConfigError(f"{len(suites)} suites are too few for an identifier", hint=f"give {FEWEST} or more, better dozens")
    embed(resolve_model(encoder), [suites[0].config.card])


def fit_identifier(
    suites: Sequence[Suite], found: Sequence[Mapping[str, Any]], *, encoder: str, entropy: float = ENTROPY
) -> tuple[Identifier, list[Skill]]:
    """The identifier of the suites' pilots, as `PilotStudy` found them, and its skill on each."""
    path = resolve_model(encoder)
    capabilities = tuple(dict.fromkeys(name for suite in suites for name in suite.capabilities))
    embeddings = embed(path, [suite.config.card for suite in suites])
    pilots = [[pilot_from(each) for each in each_found["pilots"]] for each_found in found]
    tasks = [
        task_of(s.name, e, p, joint=s.composition is not None, own=s.capabilities, capabilities=capabilities)
        for s, e, p in zip(suites, embeddings, pilots, strict=True)
    ]
    skills = [
        Skill(
            suite=suite.name,
            unseen=explained(task, answer),
            card=explained(task, _wide(suite, suite.requirement, capabilities)),
            pilots=explained(task, _wide(suite, infer(own, joint=suite.composition is not None).weights, capabilities)),
        )
        for suite, task, own, answer in zip(suites, tasks, pilots, leave_one_out(tasks, capabilities, entropy=entropy), strict=True)
    ]
    fitted = fit(tasks, capabilities, encoder=model_place(encoder), encoder_fingerprint=fingerprint(path), entropy=entropy)
    return fitted, skills


def identified(folder: Path, suite: Suite) -> Vector:
    """(K,) the requirement that the identifier in a folder reads from the suite's card."""
    notes = read_notes(folder)
    (embedding,) = embed(resolve_model(notes.encoder), [suite.config.card])
    return Identifier.load(folder, notes).weights(embedding, suite.capabilities)


def _wide(suite: Suite, weights: Vector, capabilities: Sequence[str]) -> Vector:
    """The suite's weights in the identifier's order."""
    wide = np.zeros(len(capabilities))
    wide[[capabilities.index(name) for name in suite.capabilities]] = weights
    return wide
