"""The plug-ins of readbench itself."""

from readbench.builtin import hf, sft
from readbench.read import greedy, read

__all__ = ["greedy", "hf", "read", "sft"]
