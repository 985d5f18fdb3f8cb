"""Any causal language model: find it, load it, render text for it, score with it, generate from it."""
