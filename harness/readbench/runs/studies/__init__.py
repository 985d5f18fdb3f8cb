"""Experiments other than runs: the lab."""
