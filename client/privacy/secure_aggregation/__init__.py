"""A site's end of secure aggregation: its update leaves masked, and it gives no more shares away than one sum needs."""
