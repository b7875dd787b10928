"""Round 0: what a site says about its training patients, and what the federation makes of all answers.

A site sends counts and sums, never values, and holds back what would single out a few patients. Both sides
agree here on the message (answer), on how messages pool (pooling) and on what goes into the model
(standardisation).
"""

from shared_model.statistics.answer import (
    BINS,
    CHANNELS,
    FLAGS,
    REASONS,
    YEARS,
    Photographs,
    SiteStatistics,
    Years,
    schema_fingerprint,
)
from shared_model.statistics.counts import Counts
from shared_model.statistics.federation import Classes, FederationStatistics, Value
from shared_model.statistics.pooling import pool, summarise
from shared_model.statistics.standardisation import Standardisation

__all__ = [
    "BINS",
    "CHANNELS",
    "FLAGS",
    "REASONS",
    "YEARS",
    "Classes",
    "Counts",
    "FederationStatistics",
    "Photographs",
    "SiteStatistics",
    "Standardisation",
    "Value",
    "Years",
    "pool",
    "schema_fingerprint",
    "summarise",
]
