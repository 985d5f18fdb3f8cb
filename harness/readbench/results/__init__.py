"""A run's results: the results document, scores, comparisons, tables and statistics."""
