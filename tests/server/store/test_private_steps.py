"""How many steps a site took in a private round is kept beside what it said of epsilon, and shown."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from server.store.database import FILE, Database
from server.store.report import run_document
from server.store.runs import RunStore
from shared_model.config import Config, load_config


def took_part(store: RunStore, run: str, site: str, number: int, **said: Any) -> None:
    store.open(run).took_part(number, site, {"examples": 10, **said})


def test_shortened_rounds_are_told_by_site_and_round(tmp_path: Path) -> None:
    config: Config = load_config("private-tiny")
    store = RunStore(tmp_path)
    store.create("r1", config, federation="here", canary=False, plan=None)
    for number, steps in ((1, 4), (2, 3)):
        took_part(store, "r1", "north", number, epsilon=1.5 * number, steps=steps)
        took_part(store, "r1", "south", number)  # without differential privacy
        store.open("r1").round_complete(number)
    took_part(store, "r1", "north", 3, epsilon=9.0, steps=4)  # of a round that is not complete
    document = run_document(store, store.row("r1"))
    json.dumps(document)
    assert {site["site"]: (site["steps"], site["epsilon"]) for site in document["sites"]} == {
        "north": (7, 3.0),
        "south": (None, None),
    }
    assert [(one["round"], one["site"], one["steps"]) for one in document["participation"]] == [
        (1, "north", 4),
        (1, "south", None),
        (2, "north", 3),
        (2, "south", None),
    ]
    told = store.database.rows("SELECT detail FROM audit WHERE event = 'used' ORDER BY seq")
    assert [json.loads(line["detail"]).get("steps") for line in told] == [4, None, 3, None, 4]


def test_what_is_no_number_of_steps_is_left_empty(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.create("r1", load_config("tiny"), federation="here", canary=False, plan=None)
    for number, said in enumerate((-1, "four", True, 2**40), 1):
        took_part(store, "r1", "north", number, steps=said)
    assert [row["steps"] for row in store.database.rows("SELECT steps FROM participation")] == [None] * 4


def test_a_record_begun_before_steps_were_told_is_read_and_added_to(tmp_path: Path) -> None:
    Database(tmp_path).close()
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("ALTER TABLE participation DROP COLUMN steps")
    connection.execute(
        "INSERT INTO participation VALUES ('r0', 1, 'north', 10, 0, NULL, NULL, NULL, NULL, 'then')"
    )
    connection.commit()
    connection.close()
    for _ in range(2):
        database = Database(tmp_path)
        assert [row["steps"] for row in database.rows("SELECT steps FROM participation")] == [None]
        database.close()
