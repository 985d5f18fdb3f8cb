"""What is known of a run before its first trial: what it needs, and what would fail."""
