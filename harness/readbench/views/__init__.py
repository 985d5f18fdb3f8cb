"""Who looks: the command line, the console's tables, the report, the gate, trackers, notebooks."""
