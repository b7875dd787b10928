"""One photograph from its file to the pixels that training reads; run as a module, a worker of the reading pool.

A decoder that crashes, hangs or grows on a hostile file then costs that photograph, not the round. The answer is
bytes, and the parent parses it as data from outside (image_reading.py).
"""

from __future__ import annotations

import hashlib
import os
import struct
import sys

from client.data.pipeline import MAX_FILE_BYTES, NO_MEMORY, UnreadablePhotograph, prepare
from client.isolation.serve import serve

ABSENT = "the photograph is absent"
HEAD = struct.Struct(">c32s")  # which answer, SHA-256 of the file's bytes (zeros where they were not read)
PIXELS, REFUSED, GONE = b"P", b"R", b"G"  # GONE: not the file's fault, it is looked for again next time
NO_DIGEST = bytes(32)


def read(path: str, size: int) -> bytes:
    """HEAD, then pixels (3, size, size) or the reason why there are none, in UTF-8."""
    try:
        if not os.path.isfile(path):
            return HEAD.pack(GONE, NO_DIGEST) + ABSENT.encode()
        if os.path.getsize(path) > MAX_FILE_BYTES:
            reason = f"the file is larger than {MAX_FILE_BYTES // 2**20} MB"
            return HEAD.pack(REFUSED, NO_DIGEST) + reason.encode()
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        return HEAD.pack(GONE, NO_DIGEST) + f"the file cannot be opened ({error.strerror})".encode()
    except MemoryError:
        return HEAD.pack(GONE, NO_DIGEST) + NO_MEMORY.encode()
    digest = hashlib.sha256(data).digest()
    try:
        return HEAD.pack(PIXELS, digest) + prepare(data, size).tobytes()
    except UnreadablePhotograph as reason:
        kind = GONE if str(reason) == NO_MEMORY else REFUSED
        return HEAD.pack(kind, digest) + str(reason).encode()


if __name__ == "__main__":
    serve(lambda path: read(path, int(sys.argv[2])))
