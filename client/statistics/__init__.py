"""Round 0 at a site: what it answers about its training patients, and what it keeps to itself."""
