"""How many answers are written together (torch-free: a run is planned with it)."""

BATCH_ROWS = 256
BATCH_TOKENS = 16384  # at most, of prompts and new tokens in a batch: bounds the key-value cache
