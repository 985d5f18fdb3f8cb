"""Optional sinks for what a run measures: experiment trackers of other makers, each behind an extra, all off by default.

A tracker is a plug-in (`readbench.api.tracker`); `values` holds the names and numbers that all of them are given. Nothing flows
back: a recorder lives in a process of its own (`sink`), and one that fails is dropped while the run continues.
"""
