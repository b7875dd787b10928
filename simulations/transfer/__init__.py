"""Does the model hold where it was not trained: each site's model at each site, a site left out, other data."""
