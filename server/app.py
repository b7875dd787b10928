"""The Flower ServerApp: hands the round loop a Grid to speak through."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from server.errors import Code, CoordinatorError
from server.executing import execute, is_stored
from server.federation import run_federation
from server.grid_sites import GridSites
from server.history import RoundRecord
from server.moved import front_log
from server.own_names import OwnNames
from server.planned_sites import PLAN_FILE, planned
from server.services.nodes import FOLDER as SERVICES
from server.services.nodes import site_of_node
from server.store import RunFolder
from server.store.runs import RunStore
from shared_model.config.load import from_toml

RUN_VARIABLE = "FEDFUNDUS_RUN"


def make_app(on_round: Callable[[RoundRecord], None] = lambda record: None) -> ServerApp:
    """The ServerApp; `on_round` hears every finished round (a progress bar)."""
    server_app = ServerApp()

    @server_app.main()
    def main(grid: Grid, context: Context) -> None:
        folder = Path(str(context.run_config.get("run-folder") or os.environ.get(RUN_VARIABLE, "")))
        if not (folder / "config.toml").is_file():
            raise CoordinatorError(
                Code.NO_CONFIGURATION,
                "the run has no configuration",
                where=f"run-folder, {RUN_VARIABLE}",
                fix="start it by fedfundus-simulate or fedfundus-coordinator",
            )
        log = front_log(folder.parent.parent).skip() if is_stored(folder) else None
        sites = GridSites(grid, log.moved if log else lambda: 0, probing=(folder / PLAN_FILE).is_file())
        if log is not None:
            store = RunStore(folder.parent.parent)
            told = planned(sites, folder, store.open(folder.name).event)
            named = OwnNames(told, lambda: site_of_node(store.folder / SERVICES))
            execute(store, folder.name, named, on_round, log.counted)
        else:
            configuration, told = from_toml(folder / "config.toml"), planned(sites, folder)
            run_federation(told, configuration, RunFolder(folder), on_round=on_round)

    return server_app


app = make_app()
