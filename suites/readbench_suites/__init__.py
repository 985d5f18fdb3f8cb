"""The suites that ship with readbench, and the lab's capabilities that they are made of."""
