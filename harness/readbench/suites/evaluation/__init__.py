"""Utility: the student's score on a suite's test set, by lm-eval."""
