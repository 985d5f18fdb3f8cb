"""Recorded trials of a student whose law is known, without training one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from readbench.api import Chain, Problem, Vector
from readbench.trials.environments.simulation.fitted import Course, FittedStudent, Matrix
from readbench.trials.environments.simulation.simulated import Simulated

K, T = 4, 12
CHAINS = (Chain(steps=(0, 1), share=0.7), Chain(steps=(2,), share=0.3))
RATES = 0.1 + 0.9 * np.cos(np.linspace(0.05, 1.5, T)) ** 2


def known_student(size: int = K, chains: Sequence[Chain] = CHAINS) -> FittedStudent:
    """Capability c learns 4 + c/4 logits of all tokens, is forgotten with its recency, and helps the next one a little."""
    own = np.zeros((size, 12))
    own[:, 0] = 4.0 + 0.25 * np.arange(size)  # learning
    own[:, 8] = 0.3  # of the slow recency
    own[:, 11] = 0.2  # a falling rate gives back
    return FittedStudent(
        start=np.linspace(-1.5, -0.5, size),
        own=own,
        transfer=0.3 * np.eye(size, k=1),
        walk=np.full(size, 0.05),
        fluctuation=np.full(size, 0.01),
        right=np.tile([0.3, 1.2], (size, 1)),
        right_sd=np.full(size, 0.02),
        loss=np.tile([0.1, 1.0], (size, 1)),
        standard_error=np.full(size, 0.02),
        example_tokens=np.full(size, 50.0),
        chains=tuple(chains),
        value=np.array([0.02, 0.9]),
        value_sd=0.01,
    )


def problem(size: int = K, num_intervals: int = T, learning_rate: Vector = RATES) -> Problem:
    return Problem(
        capabilities=tuple(f"c{c}" for c in range(size)),
        requirement=np.eye(size)[:3].sum(axis=0) / 3 if size > 2 else np.full(size, 1 / size),
        teacher_profile=np.full(size, 0.95),
        budget_tokens=12_000,
        num_intervals=num_intervals,
        num_probes=40,
        learning_rate=learning_rate,
        teacher_loss=np.full(size, 0.05),
    )


def course(student: FittedStudent, shares: Matrix, *, mix: str, seed: int, known: Problem) -> Course:
    """What a trial of the student with these shares (T, K) would have recorded."""
    environment = Simulated(known, student, seed=seed, dev_every=4, show_dev=True)
    steps = [environment.step(each).feedback for each in shares]
    return Course(
        mix=mix,
        learning_rate=np.asarray(known.learning_rate),
        shares=shares,
        scores=np.array(environment.profiles),
        exact=np.array([steps[0].exact_before, *(step.exact_after for step in steps)]),
        losses=np.array([steps[0].probe_loss_before, *(step.probe_loss_after for step in steps)]),
        standard_error=np.array([step.standard_error for step in steps]),
        example_tokens=np.full(known.requirement.size, 50.0),
        utility=environment.utility(),
    )


def courses(student: FittedStudent, known: Problem, *, mixes: int = 10, seeds: int = 3, draw: int = 0) -> tuple[Course, ...]:
    """Trials of random rules: one mix for the first half of a trial, another one for the second."""
    rng = np.random.default_rng(draw)
    half, size = known.num_intervals // 2, known.requirement.size
    plans = [np.repeat(rng.dirichlet(np.full(size, 0.5), 2), half, axis=0) for _ in range(mixes)]
    return tuple(
        course(student, plan, mix=f"mix {number}", seed=1000 * number + seed, known=known)
        for number, plan in enumerate(plans)
        for seed in range(seeds)
    )


def quiet(student: FittedStudent) -> FittedStudent:
    """The same without noise."""
    zeros = np.zeros_like(student.walk)
    return replace(student, walk=zeros, fluctuation=zeros, right_sd=zeros, value_sd=0.0)
