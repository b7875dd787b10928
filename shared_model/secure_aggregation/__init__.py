"""What sites and coordinator must agree on so that the coordinator sees only the sum of the sites' updates.

The protocol is Bonawitz et al. 2017 (Practical Secure Aggregation for Privacy-Preserving Machine Learning): pairwise
masks that cancel in the sum, a mask of the site's own, and shares of both secrets at the other sites so that
sites may be lost at any step. docs/secure-aggregation.md says what differs and why.
"""
