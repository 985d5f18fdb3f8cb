"""The pictures of the report, one a file: each a function of the run's view."""
