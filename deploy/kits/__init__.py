"""Kits: the folder that each member of a federation gets, its signed manifest, and what is checked of it."""
