"""Verifiers: whether a free text answers a question (docs/verifiers.md). One module each; nothing that a model wrote is run."""
