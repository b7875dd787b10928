"""A trained model's answers for a site's own photographs."""
