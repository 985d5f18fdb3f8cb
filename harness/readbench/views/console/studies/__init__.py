"""What short trainings and decisions show: pilots and requirements, the transfer matrix, explanations."""
