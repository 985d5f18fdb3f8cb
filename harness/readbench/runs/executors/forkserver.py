"""Imported by the fork server alone, before it forks workers: what they need is imported once, and a signal to all does not end it.

The parent hears SIGTERM and waits until the workers have committed their interval; were the fork server gone by then, the
parent would take its workers for dead. It ends with the parent.
"""

import signal

import readbench.runs.executors.worker  # noqa: F401 - imported to be there

signal.signal(signal.SIGTERM, signal.SIG_IGN)
