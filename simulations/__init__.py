"""A whole federation on one machine: synthetic data, partitions, engines, comparison, report."""
