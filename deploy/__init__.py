"""Setting up a federation: certificates, keys, kits and service files (no model code)."""
