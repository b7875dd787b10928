"""Ways to share one data set out over sites, always by patient."""

from simulations.partitions.describe import describe
from simulations.partitions.partition import KINDS, Partition, partition

__all__ = ["KINDS", "Partition", "describe", "partition"]
