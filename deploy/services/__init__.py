"""Processes that stay when a command has ended: started, told apart, and stopped by their own id."""
