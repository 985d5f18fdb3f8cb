"""The command line: one file per command, without logic; `main` maps errors to one line and an exit code."""
