"""What more tokens bring: within a trial, and from one budget to the next."""
