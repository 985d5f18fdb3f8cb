"""The fast path of Llama-like models on the CPU."""
