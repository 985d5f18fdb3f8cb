"""The gate of continuous integration: a run against a committed baseline, one verdict per allocator and metric."""
