"""A finished model put to use on a site's own photographs: grading them, and finding those that a note describes."""
