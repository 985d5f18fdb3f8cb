"""Experiments beside runs: the lab."""
