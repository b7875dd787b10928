"""What the operator of a site agreed to: whose plans are believed, which package may run, which run plans."""
