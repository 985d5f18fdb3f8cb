"""Baseline allocators, one file each, found through the entry point `readbench.plugins` like anyone's."""
