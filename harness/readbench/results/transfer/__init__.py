"""Which capability's training moved which score: as observed in runs, and as measured by training each alone."""
