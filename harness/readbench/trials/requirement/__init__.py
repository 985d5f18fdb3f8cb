"""The requirement: which capabilities a task needs, by its card, by pilots, or by an identifier that reads the card."""
