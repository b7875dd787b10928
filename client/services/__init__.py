"""A site's three processes without a service manager, and what its operator does with them."""
