"""The plug-ins of readbench itself."""

from readbench.allocators.read import greedy, read
from readbench.teachers.builtin import hf, openai, recorded, sft

__all__ = ["greedy", "hf", "openai", "read", "recorded", "sft"]
