"""A run without a kit: a private site that joined once may be away at a resumption, and a name of nobody may not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from server.errors import CoordinatorError
from server.executing import execute
from server.sites import SiteFailure
from server.store.runs import RunStore
from shared_model.config import Config
from shared_model.errors import ConfigError
from tests.server.store.conftest import Sites, created

PRIVATE = ("privacy.enabled=true", "model.local=[]", "training.early_stopping=0")


@pytest.fixture
def config(small_config: Callable[..., Config]) -> Config:
    return small_config(*PRIVATE, "privacy.sites=west", "federation.rounds=2", "federation.quorum=2")


def test_a_private_site_that_joined_before_may_be_away_when_the_run_is_resumed(
    store: RunStore, config: Config, sites: Sites
) -> None:
    run = created(store, config)
    gone = dict.fromkeys(("2", "3"), lambda request: SiteFailure("gone"))
    with pytest.raises(CoordinatorError, match="the quorum is 2"):
        execute(store, run, sites(gone))
    others = sites()
    del others.train["3"]
    execute(store, run, others)
    assert store.row(run).state == "finished"


def test_a_private_site_that_never_joined_is_refused_however_often_the_run_is_started(
    store: RunStore, config: Config, sites: Sites
) -> None:
    run = created(store, config)
    for _ in range(2):
        others = sites()
        del others.train["3"]
        with pytest.raises(ConfigError, match="there is no site 'west' to train privately"):
            execute(store, run, others)
        assert store.row(run).state == "failed"
        assert not [question for question, *_ in others.asked if question == "train"]
