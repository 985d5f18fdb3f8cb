"""What a paid teacher costs: prices, limits, the spend ledger and forecasts."""
