"""A record of what a made-up trial showed an allocator, so that it can be shown again."""

import copy
from dataclasses import dataclass, fields, is_dataclass

import numpy as np

from readbench.api import Feedback, Observation, Vector


@dataclass(frozen=True, slots=True)
class Turn:
    """One interval of a transcript: the observation, the proposal, the feedback."""

    observation: Observation
    proposal: Vector
    feedback: Feedback

    def again(self) -> tuple[Observation, Feedback]:
        """Copies at other addresses, with read-only arrays, as a trial hands them out."""
        observation, feedback = copy.deepcopy((self.observation, self.feedback))
        shown: tuple[Observation | Feedback, ...] = (observation, feedback, *observation.recent)
        for seen in shown:
            for field in fields(seen):
                if isinstance(array := getattr(seen, field.name), np.ndarray):
                    array.setflags(write=False)
        return observation, feedback


def bits(value: object) -> object:
    """A comparable copy of all that an input holds."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, tuple):
        return tuple(bits(item) for item in value)
    if is_dataclass(value):
        return tuple(bits(getattr(value, field.name)) for field in fields(value))
    return value
