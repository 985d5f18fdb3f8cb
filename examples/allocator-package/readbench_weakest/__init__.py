"""An allocator for readbench in a package of its own."""
