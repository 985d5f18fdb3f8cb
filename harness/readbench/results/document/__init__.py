"""results.json: its types, how it is built from the trials' records, and how it is read."""
