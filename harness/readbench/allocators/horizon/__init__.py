"""A planner over the whole budget: what it infers, and what it does."""
