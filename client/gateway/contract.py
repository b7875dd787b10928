"""What the gateway takes for granted of Flower, which none of it promises: looked at before anything is started.

Both ways of speaking to Flower use functions that another release may change. An exact version is asked for, and
that what is used is there and takes what it is given; where it is not, the gateway says so and does not start, since
the stock way would run code that the coordinator delivered.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version

from shared_model.errors import RunError

FLOWER = "1.41.0"  # what this was read, tried and tested with


@dataclass(frozen=True)
class Used:
    """A function of Flower's, and the parameters that it must take."""

    module: str
    name: str
    parameters: tuple[str, ...] = ()


SHARED = (
    Used(
        "flwr.supercore.inflatable.inflatable_utils",
        "pull_and_inflate_object_from_tree",
        ("object_tree", "pull_object_fn", "confirm_object_received_fn", "return_type"),
    ),
    Used(
        "flwr.supercore.inflatable.inflatable_utils",
        "push_objects",
        ("objects", "push_object_fn", "object_ids_to_push"),
    ),
    Used("flwr.supercore.inflatable.inflatable_object", "get_all_nested_objects"),
    Used("flwr.supercore.inflatable.inflatable_object", "get_object_tree"),
    Used("flwr.supercore.inflatable.inflatable_object", "no_object_id_recompute"),
    Used("flwr.supercore.task_identity", "TaskIdentity"),
)
LOOP = (
    *SHARED,
    Used(
        "flwr.supernode.fleet_http_connection",
        "http_request_response",
        (
            "server_address",
            "insecure",
            "root_certificates",
            "authentication_keys",
            "max_retries",
            "max_wait_time",
        ),
    ),
    Used("flwr.supercore.run", "RunNotRunningException"),
    Used("flwr.supernode.fleet_http_client", "FleetHttpClient"),
    Used("flwr.supernode.node_auth_http_interceptor", "NodeAuthHttpInterceptor"),
    Used(
        "flwr.supercore.interceptors.http.runtime_version",
        "RuntimeVersionHttpInterceptor",
        ("component_name",),
    ),
    Used("flwr.supercore.error", "FlowerError"),
    Used("flwr.supercore.error", "ApiErrorCode"),
    Used("flwr.supercore.primitives.asymmetric", "public_key_to_bytes"),
)
EXECUTOR = (
    *SHARED,
    Used("flwr.supernode.runtime.run_clientapp", "pull_task_input", ("client",)),
    Used("flwr.supernode.runtime.run_clientapp", "push_message", ("client", "message", "context")),
    Used(
        "flwr.supernode.runtime.run_clientapp",
        "push_task_output",
        ("client", "context", "sub_status", "details"),
    ),
    Used("flwr.supercore.runtime", "RuntimeHttpClient"),
    Used("flwr.supercore.heartbeat", "HeartbeatSender", ("heartbeat_fn",)),
    Used("flwr.supercore.interceptors", "RuntimeTokenHttpInterceptor", ("token",)),
    Used("flwr.supercore.interceptors", "RuntimeVersionHttpInterceptor", ("component_name",)),
    Used(
        "flwr.supercore.interceptors", "SuperExecAuthHttpInterceptor", ("master_secret", "protected_methods")
    ),
)


def problems(used: Iterable[Used]) -> list[str]:
    """What is not as it was; empty where all is."""
    found = []
    if version("flwr") != FLOWER:
        found.append(f"Flower {version('flwr')} is installed, {FLOWER} is known")
    return found + [why for item in used if (why := _problem(item))]


def require(used: Iterable[Used]) -> None:
    """Raise RunError where Flower is not as it was."""
    if found := problems(used):
        raise RunError(
            f"the gateway does not know this release of Flower: {found[0]}",
            where="flwr",
            fix=f"install flwr=={FLOWER}, as constraints.txt says",
        )


def _problem(item: Used) -> str:
    try:
        thing = getattr(importlib.import_module(item.module), item.name)
    except (ImportError, AttributeError):
        return f"{item.module}.{item.name} is not there"
    if not item.parameters:
        return ""
    missing = set(item.parameters) - set(inspect.signature(thing).parameters)
    return f"{item.module}.{item.name} does not take {', '.join(sorted(missing))}" if missing else ""
