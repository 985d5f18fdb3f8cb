"""What this distribution registers: every decorated factory that is imported here."""

from readbench_weakest.weakest import weakest

__all__ = ["weakest"]
