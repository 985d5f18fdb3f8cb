"""Many trials: settings, plan, run directory, executors."""
