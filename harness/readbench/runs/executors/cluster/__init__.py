"""A Ray cluster as an executor: trials are tasks on any node, and what they have committed is in a storage that all nodes reach.

The driver holds the run directory. `storage` is where trials keep their committed intervals while they run, `task` is what a node does,
`hub` is what all tasks share (events, the teacher's answers, the spend ledger), and `executor` is the driver's side.
"""
