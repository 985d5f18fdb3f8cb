"""Conformance kit: checks the rules that every allocator must keep, in the tests of its author.

    from readbench.testing import check_allocator

    def test_mine_is_a_valid_allocator():
        check_allocator(mine)       # the factory, or its registered name

It plays made-up trials, records their transcripts, and shows each transcript again to other instances, at another time,
with other names and so on: every proposal must have the same bits. The first broken rule raises an AssertionError that
begins with the rule's name; `RULES` says what each rule requires.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from readbench.api import Allocator, Feedback, Observation, Plugin, Problem, Vector
from readbench.testing.surroundings import another_time, global_generators
from readbench.testing.transcripts import Turn, bits
from readbench.testing.worlds import drifting_world, extreme_worlds
from readbench.trials.environments.scripted import Scripted, World
from readbench.trials.guarded import mistake_in
from readbench.trials.loop import play

RULES: Mapping[str, str] = {
    "factory": "makes an object with propose, update, state and restore for any K, requirement and teacher profile",
    "finite": "propose and update raise nothing on profiles and rewards at the edge of what is allowed",
    "simplex": "a proposal is a float64 array (K,), finite, non-negative, summing to 1 within 1e-9",
    "inputs": "problem, observation and feedback are only read",
    "own array": "a proposal keeps its values after it was returned",
    "determinism": "the same problem, seed and feedback give the same bits",
    "clock": "the same bits at another time",
    "instances": "the same bits while another instance is at work: no state is shared",
    "names": "the same bits when the capabilities are called otherwise",
    "global random state": "neither drawn from, nor seeded, nor of any influence",
    "explain": "if it is there, it returns None or N candidates with finite predictions, and changes nothing",
    "state": "is bytes, and taking it changes nothing",
    "restore": "the same bits from there on, whatever the seed and the past of the instance that takes the state",
    "garbage": "restore answers with ValueError to bytes that `state` did not return",
    "equivariance": "capabilities in another order get the same shares in that order",
}
_TOLERANCE = 1e-9

Make = Callable[[Problem, int], Allocator]


def check_allocator(
    factory: Callable[..., Allocator] | str,
    *,
    equivariant: bool = False,
    needs_teacher: bool = False,
    params: Mapping[str, bool | int | float | str] | None = None,
    num_intervals: int = 12,
) -> None:
    """Raises AssertionError with the name of the first broken rule of `RULES`.

    `factory` is ``(problem, seed, **params) -> Allocator`` or a registered name. `equivariant` also requires
    equivariance under permutation of the capabilities, as rules without learning should have (that trial has no ties
    between required capabilities). `needs_teacher` leaves out the trials whose teacher was not measured, for a rule that
    is nothing without it. `num_intervals` is the length of the made-up trials: long enough to outlast a warm-up.
    """
    make = _maker(factory, params or {})
    for world in extreme_worlds(num_intervals, pilots=_wants_pilots(factory), teacher=needs_teacher):
        _play(make, world)
    mixed = drifting_world(8, num_intervals, requirement="mixed")
    equal = drifting_world(3, num_intervals, requirement="equal")  # full of ties: the state must hold what breaks them
    for world in (mixed, equal):
        transcript = _play(make, world)
        _check_repeats(make, world.problem, transcript)
        _check_global_random_state(make, world.problem, transcript)
        _check_state(make, world.problem, transcript)
    if equivariant:
        _check_equivariance(make, mixed)


def _broken(rule: str, detail: str) -> AssertionError:
    return AssertionError(f"{rule}: {detail} (the rule: {RULES[rule]})")


def _wants_pilots(factory: Callable[..., Allocator] | str) -> bool:
    if isinstance(factory, str):
        from readbench.base.plugins import registry  # only a name needs it

        registered = registry().plugins("allocator").get(factory)
        return registered is not None and (registered.plugin.pilots or registered.plugin.profiled)
    plugin: Plugin | None = getattr(factory, "__readbench_plugin__", None)
    return plugin is not None and (plugin.pilots or plugin.profiled)


def _maker(factory: Callable[..., Allocator] | str, params: Mapping[str, bool | int | float | str]) -> Make:
    def make(problem: Problem, seed: int) -> Allocator:
        try:
            if isinstance(factory, str):
                from readbench.base.plugins import make_allocator  # only a name needs the registry

                made = make_allocator(factory, problem, seed, **params)
            else:
                made = factory(problem, seed, **params)
        except Exception as error:
            raise _broken("factory", f"raised {type(error).__name__}: {error}; {problem}") from error
        if not isinstance(made, Allocator):
            raise _broken("factory", f"made a {type(made).__name__}, which lacks one of propose, update, state, restore")
        return made

    return make


# --- playing and replaying


class _Watched:
    """An allocator at work in a trial: checks every call, and records what it saw and proposed."""

    def __init__(self, allocator: Allocator, label: str) -> None:
        self._allocator = allocator
        self._label = label
        self.returned: list[Vector] = []  # the allocator's own arrays
        self.transcript: list[Turn] = []

    def propose(self, observation: Observation) -> Vector:
        self._observation = observation
        self.returned.append(_propose(self._allocator, observation, f"interval {observation.interval}, {self._label}"))
        self._proposal = self.returned[-1].copy()
        if explain := getattr(self._allocator, "explain", None):
            before, explanation = self._allocator.state(), explain()
            mistake = "" if explanation is None else mistake_in(explanation)
            mistake = mistake or ("" if self._allocator.state() == before else "another state after it")
            if mistake:
                raise _broken("explain", f"it has {mistake}; interval {observation.interval}, {self._label}")
        return self._proposal

    def update(self, feedback: Feedback) -> None:
        self.transcript.append(Turn(self._observation, self._proposal, feedback))
        _update(self._allocator, feedback, f"interval {feedback.interval}, {self._label}")

    def state(self) -> bytes:
        return self._allocator.state()

    def restore(self, state: bytes) -> None:
        self._allocator.restore(state)


def _propose(allocator: Allocator, observation: Observation, where: str) -> Vector:
    before = bits(observation)
    try:
        proposal = allocator.propose(observation)
    except Exception as error:
        raise _broken("finite", f"propose raised {type(error).__name__}: {error}; {where}") from error
    if bits(observation) != before:
        raise _broken("inputs", f"propose changed its observation; {where}")
    expected = observation.profile.shape
    if not isinstance(proposal, np.ndarray) or proposal.dtype != np.float64 or proposal.shape != expected:
        raise _broken("simplex", f"propose returned {proposal!r}, not a float64 array {expected}; {where}")
    if not np.all(np.isfinite(proposal)) or np.any(proposal < 0.0) or abs(proposal.sum() - 1.0) > _TOLERANCE:
        raise _broken("simplex", f"propose returned {proposal}, summing to {proposal.sum()}; {where}")
    return proposal


def _update(allocator: Allocator, feedback: Feedback, where: str) -> None:
    before = bits(feedback)
    try:
        allocator.update(feedback)
    except Exception as error:
        raise _broken("finite", f"update raised {type(error).__name__}: {error}; {where}") from error
    if bits(feedback) != before:
        raise _broken("inputs", f"update changed its feedback; {where}")


def _play(make: Make, world: World) -> list[Turn]:
    before = bits(world.problem)
    allocator = _Watched(make(world.problem, 0), world.label)
    for step in play(Scripted(world), allocator):
        if bits(world.problem) != before:
            raise _broken("inputs", f"the problem was changed; interval {step.feedback.interval}, {world.label}")
    for interval, (turn, proposal) in enumerate(zip(allocator.transcript, allocator.returned, strict=True)):
        if bits(proposal) != bits(turn.proposal):
            raise _broken("own array", f"the proposal of interval {interval} was overwritten later; {world.label}")
    return allocator.transcript


def _replay(rule: str, allocator: Allocator, turns: Sequence[Turn], detail: str, between: Callable[[Turn], object] | None = None) -> None:
    """Shows the turns to the allocator, as read-only copies at other addresses; `between` runs before each."""
    for turn in turns:
        if between is not None:
            between(turn)
        where = f"interval {turn.observation.interval} of a replay"
        observation, feedback = turn.again()
        proposal = _propose(allocator, observation, where)
        if bits(proposal) != bits(turn.proposal):
            raise _broken(rule, f"{detail}: interval {turn.observation.interval} got {proposal}, not {turn.proposal}")
        _update(allocator, feedback, where)


# --- the rules


def _check_repeats(make: Make, problem: Problem, transcript: Sequence[Turn]) -> None:
    _replay("determinism", make(problem, 0), transcript, "two instances with the same seed part ways")
    with another_time():
        _replay("clock", make(problem, 0), transcript, "the proposals depend on the time")

    allocator, other = make(problem, 0), make(problem, 1)

    def disturb(turn: Turn) -> None:
        other.propose(turn.observation)
        other.update(dataclasses.replace(turn.feedback, reward=-turn.feedback.reward))

    _replay("instances", allocator, transcript, "another instance had an influence", disturb)

    # Sorted, these names are in the opposite order, and their words mean nothing.
    names = tuple(f"x{number:03d}" for number in reversed(range(len(problem.capabilities))))
    _replay("names", make(dataclasses.replace(problem, capabilities=names), 0), transcript, "other names, other proposals")


def _check_global_random_state(make: Make, problem: Problem, transcript: Sequence[Turn]) -> None:
    for seed in (1, 2):
        with global_generators(seed) as read:
            before = read()
            _replay("global random state", make(problem, 0), transcript, "it steers the proposals")
            touched = [name for name, state in read().items() if state != before[name]]
        if touched:
            raise _broken("global random state", f"the allocator moved the generator of {', '.join(touched)}")


def _restore(allocator: Allocator, state: bytes) -> Allocator:
    try:
        allocator.restore(state)
    except Exception as error:
        raise _broken("restore", f"raised {type(error).__name__}: {error} on what `state` returned") from error
    return allocator


def _check_state(make: Make, problem: Problem, transcript: Sequence[Turn]) -> None:
    original = make(problem, 0)
    states: list[bytes] = []
    _replay("state", original, transcript, "taking it had an influence", lambda _: states.append(original.state()))
    if not all(isinstance(state, bytes) for state in states):
        raise _broken("state", f"it is a {type(states[0]).__name__}")
    for interval, state in enumerate(states):
        seed = interval + 1  # a new one each time: two seeds may agree by chance
        fresh = _restore(make(problem, seed), state)
        _replay("restore", fresh, transcript[interval:], f"a fresh instance of seed {seed}, restored before interval {interval}")
    half = len(states) // 2
    _replay("restore", _restore(original, states[half]), transcript[half:], f"the instance itself, taken back to interval {half}")

    state = states[half]
    garbage = {"bytes that mean nothing": b"not a state\x00\xff", "a byte too many": state + b"\x00"}
    if state:
        garbage |= {"a truncated state": state[:-1], "an empty state": b""}
    for kind, damaged in garbage.items():
        try:
            make(problem, 0).restore(damaged)
        except ValueError:
            continue
        except Exception as error:
            raise _broken("garbage", f"restore raised {type(error).__name__}: {error} on {kind}") from error
        raise _broken("garbage", f"restore accepted {kind}")


def _check_equivariance(make: Make, world: World) -> None:
    order = np.roll(np.arange(len(world.problem.capabilities)), 1)
    for interval, (turn, again) in enumerate(zip(_play(make, world), _play(make, world.permuted(order)), strict=True)):
        if not np.allclose(again.proposal, turn.proposal[order], rtol=0.0, atol=_TOLERANCE):
            raise _broken("equivariance", f"interval {interval} got {again.proposal}, not {turn.proposal[order]}")
