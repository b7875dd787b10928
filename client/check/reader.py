"""One photograph from its file to its measurement; run as a module, a worker of the reading pool.

It is decoded by the same code that training uses, so that what is refused here is what training would refuse.
"""

from __future__ import annotations

import contextlib
import hashlib
import os

from client.check.features import LEAST, features
from client.check.measurement import Measurement, encode
from client.data.pipeline import MAX_FILE_BYTES, NO_MEMORY, Decoded, UnreadablePhotograph, decode
from client.isolation.serve import serve

_PLAIN = frozenset({"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "progressive", "progression"})


def read(path: str) -> Measurement:
    """The measurement of one file; a problem instead of an error, whatever it holds."""
    try:
        with open(path, "rb", buffering=0) as file:
            data = file.read(min(os.fstat(file.fileno()).st_size, MAX_FILE_BYTES) + 1)
    except OSError as error:
        return Measurement(problem=f"the file cannot be opened ({os.strerror(error.errno or 0)})")
    digest = hashlib.sha256(data).hexdigest()
    try:
        decoded = decode(data, LEAST // 2)  # no larger than that needs, where the decoder can stop early
        found = features(decoded.picture)
    except UnreadablePhotograph as reason:
        return Measurement(problem=str(reason), sha256=digest)
    except MemoryError:
        return Measurement(problem=NO_MEMORY, sha256=digest)
    identifiers, dated = _kinds(data, decoded)
    return Measurement(
        sha256=digest,
        width=decoded.width,
        height=decoded.height,
        mode=decoded.mode,
        identifiers=identifiers,
        dated=dated,
        **vars(found),
    )


def _kinds(data: bytes, decoded: Decoded) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if "jfif" in decoded.info and _PLAIN.issuperset(decoded.info):
        return (), ()  # as most files are: without EXIF, XMP or a comment
    from client.check.headers import header_kinds  # not before it is needed: workers start quickly

    with contextlib.suppress(Exception):  # a header that cannot be read tells nobody anything
        return header_kinds(data, decoded)
    return (), ()


if __name__ == "__main__":
    serve(lambda path: encode(read(path)))
