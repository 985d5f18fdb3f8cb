"""What the loop acts on: a real student, or a script."""
