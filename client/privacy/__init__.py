"""What a site has given away, and how much it may still give."""
