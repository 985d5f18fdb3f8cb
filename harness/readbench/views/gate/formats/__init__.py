"""The gate's verdicts in a terminal, as markdown, as JUnit XML and as GitHub annotations."""
