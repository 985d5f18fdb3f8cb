"""Who decides: ReAD and its greedy twin. Every other rule is in the package readbench_baselines."""
