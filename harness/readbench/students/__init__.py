"""Who learns: a language model with an optimiser and an objective."""
