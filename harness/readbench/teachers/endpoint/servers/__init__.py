"""Who is asked: addresses, one exchange with one of them, and a fleet of them."""
