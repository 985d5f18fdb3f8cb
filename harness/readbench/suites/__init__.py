"""What is asked: suites, sources, splits, prompts, probes and the test set."""
