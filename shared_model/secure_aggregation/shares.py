"""Shamir's shares of a secret (Shamir 1979), by Flower's own functions over PyCryptodome's.

Any `threshold` shares give the secret, fewer say nothing of it. Shares carry no proof: what they give is held against
something that was known before, the public key of the secret or its digest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, islice

from shared_model.secure_aggregation.keys import SECRET

SHARE = 4 + 32  # bytes: an index, and one block for each of the secret's
_MOST_TRIED = 64  # sets of shares, where some of them are wrong


def shared(secret: bytes, threshold: int, count: int) -> list[bytes]:
    """`count` shares, of which `threshold` give the secret (2 <= threshold <= count)."""
    from flwr.common.secure_aggregation.crypto.shamir import create_shares

    return list(create_shares(secret, threshold, count))


def restored(shares: Sequence[bytes], threshold: int, fits: Callable[[bytes], bool]) -> bytes | None:
    """The secret that fits, whose shares these are; None where no set of them gives it.

    Wrong shares are worked around by trying other sets, a bounded number of times.
    """
    from flwr.common.secure_aggregation.crypto.shamir import combine_shares

    sound = [share for share in shares if len(share) == SHARE]
    for chosen in islice(combinations(sound, threshold), _MOST_TRIED):
        try:
            found = bytes(combine_shares(list(chosen)))
        except (ValueError, ZeroDivisionError):  # two shares of one index, or a padding that is none
            continue
        if len(found) == SECRET and fits(found):
            return found
    return None
