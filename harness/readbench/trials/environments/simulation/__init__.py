"""Fitted students: an environment that imitates recorded trials."""
