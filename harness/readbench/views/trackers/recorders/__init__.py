"""The trackers that readbench brings: one module each, each with an extra of its name."""
