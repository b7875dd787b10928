"""The authority's folder: its key, and the register of everything it ever signed."""
