"""A worker that answers at once: `python -m simulations.bench.deployment_worker SOCKET SITE`.

The service is the one of every site, gRPC over its Unix socket; only what stands behind it has neither model nor data.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from client.worker.service import serve
from client.worker.socket_file import SocketFile
from shared_model.exchange import Payload
from simulations.bench.deployment_idle import answer_of

LARGEST = 1 << 24  # bytes of tensors


class Idle:
    """In the place of client.worker.host.WorkerHost."""

    def __init__(self, site: str) -> None:
        self._site = site

    def expected(self, question: str) -> int:
        """Bytes of tensors that a request may bring."""
        return LARGEST

    def answer(self, question: str, request: Payload) -> Payload:
        """What it was sent, as if it had been trained."""
        return answer_of(self._site, request)

    def status(self) -> dict[str, Any]:
        """The fields of StatusAnswer but `busy`."""
        told = dict.fromkeys(("version", "package", "plan", "run"), "")
        return {"site": self._site, "package_approved": True, **told}


def main() -> None:
    """Serve until ended."""
    place = SocketFile(Path(sys.argv[1]))
    with place.held():
        server = serve(Idle(sys.argv[2]), place)  # type: ignore[arg-type]
        server.wait_for_termination()


if __name__ == "__main__":
    main()
