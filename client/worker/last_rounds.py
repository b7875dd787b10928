"""What a site keeps of its last rounds, on its own disk: what it answered, and the state that training goes on from.

A coordinator that died asks for a round again. Asked the same thing, the site returns the bytes it has sent already;
asked to train another base in the same round, it goes back to the state in which that round began. Both need one
instant at which a round is done, so everything of a round is one file, written beside its place and renamed. Local
parameters and the optimiser's moments never travel; a decoder can remember a photograph, so a deployed site seals
them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from client.vault import Vault
from client.worker.overwriting import HALFWAY
from client.worker.tensor_files import TensorFiles
from shared_model.config import Config
from shared_model.errors import DataError
from shared_model.exchange import Payload, fingerprint, local_tensors, write_tensors
from shared_model.exchange.coding import Coding
from shared_model.exchange.parameters import Arrays
from shared_model.files import naming_disk_errors
from shared_model.losses import Objective

_FILE = re.compile(r"round-(\d+)\.safetensors")
_SAID, _ANSWER, _LOCAL, _MOMENTS = "said", "answer/", "local/", "moments/"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """One request to train. number: its round, from 1; digest: of all that its update depends on at this site."""

    number: int
    digest: str

    @classmethod
    def of(cls, request: Payload, base: Arrays, site: str, config: Config) -> Asked:
        """base: as the request brings it. How it travelled is left out: a resumed coordinator sends it whole."""
        fields, coding = request.fields, Coding.of(request.fields)
        decides = [
            site,
            config.model_dump(mode="json", exclude={"runtime"}),
            fields["learning_rate"],
            fields["standardisation"],
            coding.base if coding else fingerprint(base),
            coding is None,
        ]
        number = int(fields["round"])
        text = json.dumps([number, decides], sort_keys=True)
        return cls(number, hashlib.sha256(text.encode()).hexdigest())


class LastRounds:
    """The last round of one site in one run and the state before it, in `folder`; sealed if there is a vault.

    resumable: False keeps the state that training goes on from and no more, neither answers nor earlier rounds, and
    leaves it to the system when the disk holds it.
    """

    def __init__(self, folder: Path, vault: Vault | None = None, *, resumable: bool = True) -> None:
        self._files = TensorFiles(folder, vault, durable=resumable)
        self._resumable = resumable

    def answer(self, asked: Asked) -> Payload | None:
        """What was answered to the very same request; None where it was not asked, or is kept no longer.

        Raises DataError for a file that was altered or sealed with another key.
        """
        kept = self._files.read(_name(asked.number)) if self._resumable else None
        if kept is None:
            return None
        said = self._said(kept, asked.number)
        if said["asked"] != asked.digest:
            return None
        return Payload(_part(kept, _ANSWER), said["fields"])

    def start(self, number: int, objective: Objective, initial: Arrays) -> Arrays | None:
        """Put the tensors that round `number` begins with into the objective; the moments it begins with.

        initial: the local tensors of a site that begins, which has no moments (None). Raises DataError as `answer`.
        """
        before = self._before(number)
        if before is None:
            for halfway in self._files.folder.glob(f"*{HALFWAY}"):
                raise _damaged(halfway)
            write_tensors(objective, initial)
            return None
        if before >= number:
            log.warning(
                "what round %d began with is kept no longer: it goes on from round %d", number, before
            )
        kept = self._files.read(_name(before)) or {}
        write_tensors(objective, _part(kept, _LOCAL) or initial)
        return _part(kept, _MOMENTS)

    def keep(self, asked: Asked, answer: Payload, objective: Objective, moments: Arrays) -> None:
        """The round is done; its answer may leave once this returns. Earlier rounds but the one before it go."""
        before = self._before(asked.number)
        tensors: dict[str, NDArray[Any]] = {}
        kept = [(_LOCAL, local_tensors(objective)), (_MOMENTS, moments)]
        if self._resumable:
            said = json.dumps({"asked": asked.digest, "fields": answer.fields}, allow_nan=False).encode()
            tensors[_SAID] = np.frombuffer(said, dtype=np.uint8)
            kept.append((_ANSWER, answer.arrays))
        for prefix, arrays in kept:
            tensors |= {prefix + name: array for name, array in arrays.items()}
        over = _name(before) if before is not None and not self._resumable else None
        self._files.write(_name(asked.number), tensors, over=over)
        for number in self._numbers():
            if number != asked.number and (number != before or not self._resumable):
                self._forget(number)

    def _before(self, number: int) -> int | None:
        """The round whose state round `number` begins with: the last before it, else the first there is."""
        known = self._numbers()
        earlier = [one for one in known if one < number]
        if earlier:
            return max(earlier)
        return min(known) if known and number > 1 else None

    def _numbers(self) -> list[int]:
        names = [path.name for path in self._files.folder.glob("round-*.safetensors")]
        return [int(found[1]) for name in names if (found := _FILE.fullmatch(name))]

    def _forget(self, number: int) -> None:
        path = self._files.folder / _name(number)
        with naming_disk_errors(path):
            path.unlink(missing_ok=True)

    def _said(self, kept: Mapping[str, NDArray[Any]], number: int) -> dict[str, Any]:
        try:
            said = json.loads(kept[_SAID].tobytes())
            said["asked"], said["fields"]
        except (KeyError, TypeError, ValueError):
            raise _damaged(self._files.folder / _name(number)) from None
        found: dict[str, Any] = said
        return found


def _damaged(path: Path) -> DataError:
    return DataError(
        "What the site kept from its last round is damaged.",
        where=str(path),
        fix="Restore the file; or delete the folder's files, and the site begins from the initial tensors.",
    )


def _name(number: int) -> str:
    return f"round-{number}.safetensors"


def _part(kept: Mapping[str, NDArray[Any]], prefix: str) -> Arrays:
    return {name.removeprefix(prefix): array for name, array in kept.items() if name.startswith(prefix)}
