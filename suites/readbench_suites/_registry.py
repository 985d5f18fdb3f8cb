"""What this distribution registers: the lab's sources and the suites."""

from readbench_suites.lab.code import code
from readbench_suites.lab.general_knowledge import general_knowledge
from readbench_suites.lab.long_context import long_context
from readbench_suites.lab.math import math
from readbench_suites.lab.multilingual import multilingual
from readbench_suites.lab.reasoning import reasoning
from readbench_suites.lab.steerability import steerability
from readbench_suites.lab.tool_use import tool_use
from readbench_suites.suites import coding, generalist, multilingual_suite, reasoning_suite, tool_use_suite

__all__ = [
    "code",
    "coding",
    "general_knowledge",
    "generalist",
    "long_context",
    "math",
    "multilingual",
    "multilingual_suite",
    "reasoning",
    "reasoning_suite",
    "steerability",
    "tool_use",
    "tool_use_suite",
]
