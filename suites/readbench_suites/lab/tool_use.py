"""Calling tools: a request in words becomes a call with its arguments in the tool's order.

Difficulty: easy, one argument; medium, two arguments that the request may name in either order; hard, two calls in a row.
"""

import random

from readbench.api import Difficulty, Question, source
from readbench_suites.lab.words import random_word

# the request's verb: the tool
SINGLE = {"find": "search", "open": "read", "ring": "call", "forecast": "weather", "play": "music", "buy": "order"}
DOUBLE = {"send": "mail", "move": "copy", "book": "plan"}


def single_call(rng: random.Random) -> tuple[str, str]:
    """A request with one argument, and its call."""
    verb, word = rng.choice(tuple(SINGLE)), random_word(rng)
    return f"{verb} {word}", f"{SINGLE[verb]}({word})"


def double_call(rng: random.Random) -> tuple[str, str]:
    """A request with a thing and a receiver, and its call: receiver first."""
    verb, thing, receiver = rng.choice(tuple(DOUBLE)), random_word(rng), random_word(rng)
    request = rng.choice((f"{verb} {thing} to {receiver}", f"{verb} to {receiver} {thing}"))
    return request, f"{DOUBLE[verb]}({receiver},{thing})"


class ToolUse:
    """Requests and their calls."""

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        """A request for one call, one with two arguments, or two calls."""
        if difficulty == 0:
            request, call = single_call(rng)
        elif difficulty == 1:
            request, call = double_call(rng)
        else:
            (request, call), (second, second_call) = single_call(rng), single_call(rng)
            request, call = f"{request}, {second}", f"{call};{second_call}"
        return Question(prompt=request, answer=call, key=call)


@source("lab.tool_use")
def tool_use() -> ToolUse:
    """Requests turned into calls with one or two arguments, or into two calls."""
    return ToolUse()
