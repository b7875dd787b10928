"""The coordinator's audit log is only added to, and says so when it was not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from server.errors import CoordinatorError
from server.store import audit
from server.store.runs import RunStore
from shared_model.config import Config
from tests.server.store.conftest import created


@pytest.fixture
def altered(store: RunStore, config: Config) -> Iterator[sqlite3.Connection]:
    for number in range(3):
        created(store, config, f"r{number}")
    connection = sqlite3.connect(store.database.path)
    yield connection
    connection.close()


@pytest.mark.parametrize(
    "change", ["UPDATE audit SET event = 'x' WHERE seq = 2", "DELETE FROM audit WHERE seq = 2"]
)
def test_the_audit_log_is_only_added_to(change: str, store: RunStore, altered: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="only added to"):
        altered.execute(change)
    before = audit.head(store.database)
    altered.execute("DROP TRIGGER audit_keeps_words")
    altered.execute("DROP TRIGGER audit_keeps_lines")
    altered.execute(change)
    altered.commit()
    with pytest.raises(CoordinatorError, match=r"C306 the audit log was altered at line 2"):
        audit.head(store.database)
    assert before
