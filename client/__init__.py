"""A site: reads its own patients, trains on them, and lets nothing but updates and counts out."""
