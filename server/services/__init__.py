"""The coordinator's processes: Flower's SuperLink on this machine alone, and the front, which is the only way in."""
