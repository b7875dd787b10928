"""An authority for the sites of a simulation, so that their keys are signed and checked as deployed ones are.

It lies in the simulation's own folder, where anybody who runs it can sign as any site: it shows that the protocol works
and proves nothing of who takes part. The federation is called `simulation`, which the kits of a real one never are.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

from client.approval.trusted import Trusted
from client.privacy.secure_aggregation.believed import CertifiedSites
from client.privacy.secure_aggregation.opened import OpenedRounds
from client.privacy.secure_aggregation.rounds import SecureRounds
from client.privacy.secure_aggregation.signing import with_signature
from deploy.federation import Coordinator, Federation, Site
from deploy.pki.certificates import Signer, new_authority
from deploy.pki.keys import PrivateKey, new_key, private_pem, read_private
from deploy.pki.reading import pem, read_certificate
from shared_model.config import Config
from shared_model.exchange import Payload
from shared_model.files import write_bytes

FEDERATION = "simulation"
FOLDER = "authority"
_KEY, _CERTIFICATE = "authority.key", "authority.pem"


class SimulatedRounds:
    """A simulated site in secure rounds: what a worker and its gateway do together. root: of the simulation."""

    def __init__(self, root: Path, site: str, config: Config) -> None:
        self._site = site
        self._identity = identity(root, site)
        believed = CertifiedSites(lambda: self._identity.trusted)
        self.rounds = SecureRounds(site, config, f"{FEDERATION}/simulation", believed, OpenedRounds())

    def answer(self, request: Payload, weight: int, tells: Sequence[str], trains: Sequence[str]) -> Payload:
        """As SecureRounds.answer, signed."""
        answer = self.rounds.answer(request, weight, tells, trains)
        return with_signature(answer, self._site, self._identity.key, self._identity.certificate)


class Identity(NamedTuple):
    """A site's. certificate: PEM."""

    key: PrivateKey
    certificate: str
    trusted: Trusted


@cache
def identity(root: Path, site: str) -> Identity:
    """What a site of this simulation signs with, its certificate, and what it believes."""
    signer, key, now = authority(root), new_key(), datetime.now(UTC)
    certificate = signer.issue(key.public_key(), described(), site, now)
    trusted = Trusted(
        federation=FEDERATION,
        site=site,
        authority=pem(signer.certificate).decode("ascii"),
        revoked=pem(signer.revoked_list([], 1, now)).decode("ascii"),
        number=1,
    )
    return Identity(key, pem(certificate).decode("ascii"), trusted)


@cache
def authority(root: Path) -> Signer:
    """The simulation's one authority, made by whichever of its processes comes first."""
    folder = root / FOLDER
    if not folder.is_dir():
        made = new_authority(described(), datetime.now(UTC))
        temporary = Path(tempfile.mkdtemp(dir=root, prefix=f".{FOLDER}."))
        write_bytes(temporary / _KEY, private_pem(made.key))
        write_bytes(temporary / _CERTIFICATE, pem(made.certificate))
        try:
            os.rename(temporary, folder)
        except OSError:  # another process was first
            shutil.rmtree(temporary)
    key = read_private((folder / _KEY).read_bytes(), str(folder / _KEY))
    return Signer(key, read_certificate((folder / _CERTIFICATE).read_bytes(), str(folder / _CERTIFICATE)))


def described() -> Federation:
    """The federation that every simulation is."""
    return Federation(
        name=FEDERATION, coordinator=Coordinator(hosts=("localhost",)), sites=(Site(name="simulated"),)
    )
