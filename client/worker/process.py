"""`fedfundus-site worker`: the process that holds the data and has no network, until it is told to stop."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

from client.site.opening import open_site
from client.weights.cache import use_imported
from client.worker.socket_file import SocketFile

_GRACE = 5.0  # seconds that an answer on its way has after a stop


def run_worker(config_file: Path, socket: Path, group: str = "") -> None:
    """Serve at `socket` until interrupted. group: of the gateway's user. Raises FedFundusError where it cannot."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        force=True,
    )
    place = SocketFile(socket, group)
    config, state = open_site(config_file)
    use_imported(state)
    with place.held():
        from client.worker.host import WorkerHost  # torch, which a worker that cannot begin need not wait for
        from client.worker.service import serve

        host = WorkerHost(config, state)
        server = serve(host, place)
        print(f"worker of {config.site.name} at {place.path}", flush=True)
        print(f"installed package {host.package}", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:  # as the service manager stops it
            print("stopped", flush=True)
        finally:
            server.stop(_GRACE).wait()
            place.path.unlink(missing_ok=True)
