"""The proxies of the kits as commands: which nginx, and how it is started without a service manager.

Root starts nginx as distributions do: the first process is root's and reads the keys, its workers are nobody's.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from deploy.errors import Code, DeployError
from deploy.services.ports import listens
from deploy.services.services import Service
from shared_model.files import naming_disk_errors

_BESIDE_PATH = "/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin"  # where root's programs lie
WORKERS = "fedfundus-nginx"  # a user who owns nothing, for whoever starts one of them as root
_CHECK_SECONDS = 60.0


def nginx() -> str:
    """The program. Raises DeployError where there is none."""
    found = shutil.which("nginx") or shutil.which("nginx", path=_BESIDE_PATH)
    if found is None:
        raise DeployError(
            Code.NO_NGINX,
            "nginx is not installed, or not where programs are looked for",
            where=f"PATH, {_BESIDE_PATH}",
            fix="install it (Debian: apt-get install nginx-light), then start again",
        )
    return found


def proxy_service(name: str, configuration: Path, state: Path, host: str, port: int) -> Service:
    """nginx with a kit's configuration, listening at host and port. state: its folder for logs and temporary files."""
    with naming_disk_errors(state):
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    user = workers_user()
    globally = f"user {user}; daemon off;" if user else "daemon off;"
    command = (nginx(), "-p", str(state), "-c", str(configuration), "-e", "stderr", "-g", globally)
    reached = "127.0.0.1" if host == "0.0.0.0" else host
    return Service(
        name,
        command,
        lambda: listens(reached, port),
        (host, port),
        check=lambda: _require_taken(name, command),
    )


def workers_user() -> str:
    """Started by root: user and group, as nginx wants them, of the workers, which meet the network. Otherwise nothing.

    They need no file: the first process has read keys and opened logs before it starts them. root: where this is a
    container whose root may become nobody else.
    """
    if os.geteuid() != 0:
        return ""
    for name in (WORKERS, "nobody"):
        try:
            user = pwd.getpwnam(name)
            group = grp.getgrgid(user.pw_gid).gr_name
        except KeyError:
            continue
        if _can_become(user.pw_uid, user.pw_gid):
            return f"{name} {group}"
    return "root"


def by_root() -> str:
    """A sentence for whoever starts processes as root; empty for everybody else."""
    user = workers_user().partition(" ")[0]
    if not user:
        return ""
    root = user == "root"
    which = (
        "all of them, nginx's workers included, are root's here" if root else f"nginx's workers are {user}'s"
    )
    others = "" if root else ", all other processes root's"
    return (
        f"started by root: {which}{others}; start them as a user of their own, or with the service files "
        "of the kit (services/)"
    )


def _can_become(user: int, group: int) -> bool:
    try:
        return subprocess.run(["true"], user=user, group=group, extra_groups=[], check=False).returncode == 0
    except (OSError, ValueError, subprocess.SubprocessError):
        return False


def _require_taken(name: str, command: tuple[str, ...]) -> None:
    """Raise DeployError where nginx would not take its configuration: one that runs keeps the one that it has."""
    try:
        done = subprocess.run(
            [*command, "-t"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_CHECK_SECONDS,
            check=False,
        )
        if done.returncode == 0:
            return
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        words = next((line for line in said if "[emerg]" in line), said[0])
    except subprocess.TimeoutExpired:
        words = f"it had not read it within {_CHECK_SECONDS:g} seconds"
    raise DeployError(
        Code.NGINX_REFUSES,
        f"nginx does not take the configuration of the {name}",
        where=words[:400],
        fix=f"mend what it says (fedfundus-provision verify KIT); a {name} that runs goes on as it was",
    )
