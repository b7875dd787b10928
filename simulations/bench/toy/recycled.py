"""The same job by our inline engine; the client app takes its copies' memory from simulations.engines.recycled."""

from __future__ import annotations

from simulations.bench.toy.inline import client_app, server_app
from simulations.bench.toy.job import Job, State
from simulations.engines.grid import run_apps
from simulations.engines.recycled import Recycled


def run_recycled(job: Job) -> State:
    """The averaged model after the last round."""
    last: State = {}
    run_apps(server_app(job, last), client_app(job, Recycled().copy), job.clients)
    return last
