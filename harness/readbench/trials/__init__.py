"""One trial: the loop, its environments, and its record."""
