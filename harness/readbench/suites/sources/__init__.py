"""Sources: where a capability's questions come from: a plug-in, a file of the suite, a dataset, or reasoning-gym."""
