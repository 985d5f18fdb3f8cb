"""A trial's record on disk."""
