"""What a site may send in place of its update. Imported by a worker of a test federation when it is told to lie."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from shared_model.errors import DataError
from shared_model.exchange import Payload

NAME = "Quintanilha Zebulon"  # of tests/leaks
_LAST: dict[str, Payload] = {}  # the update of the round before, of this process


def spoil(kind: str, request: Payload, answer: Payload, file: Path) -> Payload:
    """The answer as this kind of site gives it. Waits for as long as `file` is there where the site hangs."""
    name = next(iter(answer.arrays))
    arrays, fields = dict(answer.arrays), dict(answer.fields)
    if kind == "hangs":
        while file.exists():
            time.sleep(0.1)
    elif kind == "raises":
        raise ValueError("Maria da Silva, /srv/fundus/maria.jpg")
    elif kind == "refuses":
        raise DataError("the photographs cannot be read", where="/srv/fundus/maria.jpg")
    elif kind == "tells a name":
        fields["remark"] = NAME
        fields["site"] = f"{fields['site']} ({NAME})"
    elif kind == "complains of a name":
        raise DataError(f"the photographs of {NAME} cannot be read")
    elif kind == "sends NaN":
        arrays[name] = np.full_like(arrays[name], np.nan)
    elif kind == "sends wrong shapes":
        arrays[name] = np.zeros((1, 3), np.float32)
    elif kind == "sends negative counts":
        fields["examples"] = -9
    elif kind == "sends a 10^6x update":
        base = request.arrays
        arrays = {n: (a + 1e6 * (a - base.get(n, 0 * a))).astype(a.dtype) for n, a in arrays.items()}
    elif kind == "sends last round's update":
        before, _LAST["answer"] = _LAST.get("answer", answer), answer
        return before
    return Payload(arrays, fields)
