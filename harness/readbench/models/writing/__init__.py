"""What a model writes: greedy answers and drawn ones, token by token with a cache."""
