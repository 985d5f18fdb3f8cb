"""Rounds of the student's own answers: what they buy, and who writes them."""
