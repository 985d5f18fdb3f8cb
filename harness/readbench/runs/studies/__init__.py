"""Experiments outside runs: the lab."""
