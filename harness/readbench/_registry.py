"""The plug-ins of readbench itself."""

from readbench.builtin import hf, openai, recorded, sft
from readbench.read import greedy, read

__all__ = ["greedy", "hf", "openai", "read", "recorded", "sft"]
