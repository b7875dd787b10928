"""Benchmarks whose figures are ratios measured in one run."""
