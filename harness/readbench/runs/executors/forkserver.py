"""Only the fork server imports this, before it forks workers: it imports what they need once, and ignores a signal to all.

The parent receives SIGTERM and waits until the workers have committed their interval; if the fork server were gone by then,
the parent would take its workers for dead. It ends with the parent.
"""

import gc
import signal

gc.disable()  # looking for garbage among all that is imported takes a quarter of the imports' time

import transformers.modeling_utils  # noqa: E402, F401 - half of what loading a model imports

import readbench.runs.executors.worker  # noqa: E402, F401 - preloaded for the workers

gc.freeze()  # it stays, shared by the workers
gc.enable()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
