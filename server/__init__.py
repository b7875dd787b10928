"""The coordinator: runs the rounds, checks every update, and keeps the record."""
