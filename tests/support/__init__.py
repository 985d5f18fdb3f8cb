"""Builders that tests of several subjects share: results documents, suites, models, command lines."""
