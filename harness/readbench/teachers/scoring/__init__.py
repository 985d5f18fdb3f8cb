"""Log-probabilities that a teacher behind an endpoint gives of tokens that the student wrote."""
