"""What came of a run: the results document, scores, comparisons, tables and statistics."""
