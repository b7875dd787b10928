"""Whether a port of this machine is free, and who has it where it is not."""

from __future__ import annotations

import errno
import os
import socket

import psutil

from deploy.errors import Code, DeployError


def require_free(host: str, port: int, *, of: str) -> None:
    """Raise DeployError where nobody can listen at host:port now. of: the service that would."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
            tried.listen(1)
        except OSError as error:
            raise _taken(host, port, of, error) from None


def listens(host: str, port: int) -> bool:
    """Whether somebody answers at host:port."""
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False


def _taken(host: str, port: int, of: str, error: OSError) -> DeployError:
    if error.errno == errno.EADDRINUSE:
        what = f"port {port} is in use{_by(port)}, and the {of} needs it"
        fix = "stop what uses it, or give another port in federation.yaml, then: fedfundus-provision new, install"
    else:
        what = f"the {of} may not listen at port {port}: {os.strerror(error.errno or 0)}"
        fix = "use a port above 1023, or an address of this machine"
    return DeployError(Code.PORT_TAKEN, what, where=f"{host}:{port}", fix=fix)


def _by(port: int) -> str:
    """Who listens there, as far as this user may know."""
    try:
        for found in psutil.net_connections("tcp"):
            if found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port and found.pid:
                return f" by {psutil.Process(found.pid).name()} (process {found.pid})"
    except psutil.Error:
        pass
    return ""
