"""Where trials run: this process, or a pool of worker processes."""
