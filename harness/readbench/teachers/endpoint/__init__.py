"""Teachers that answer over HTTP: the exchange, its faults, and the ledger of what was spent."""
