"""A hospital in a run in which only some sites train privately: its policy, its ledger and what it tells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from server.guard.report import report_problem
from shared_model.errors import DataError
from tests.client.privacy.private_sites import PrivateSite

MakeSite = Callable[..., PrivateSite]
FEW = ("training.local_steps=1", "federation.rounds=2", "privacy.epsilon=50.0")


def test_a_site_that_is_not_named_trains_without_noise_and_charges_nothing(private_site: MakeSite) -> None:
    site = private_site("minimum_cell = 0", "privacy.sites=santos", *FEW)
    registered = site.worker().join().fields["examples"]
    answers = [site.worker(run=run).train(site.ask(1)) for run in ("run-1", "run-2")]
    fields = answers[0].fields
    assert fields["examples"] == registered
    assert fields["losses"]["grading"] > 0
    assert not {"epsilon", "steps"} & fields.keys()
    assert report_problem(fields) is None
    assert site.trained() == []
    # The same twice: nothing of it is the operating system's randomness.
    assert all(np.array_equal(array, answers[1].arrays[name]) for name, array in answers[0].arrays.items())


def test_a_site_that_is_named_charges_its_ledger(private_site: MakeSite) -> None:
    site = private_site("", "privacy.sites=santos,paulista", *FEW)
    fields = site.worker().train(site.ask(1)).fields
    assert (fields["loss"], fields["losses"], fields["steps"]) == (0.0, {}, 1)
    assert 0 < fields["epsilon"] <= 50.0
    assert len(site.trained()) == 1


def test_a_policy_of_private_runs_alone_is_about_this_site(private_site: MakeSite) -> None:
    other = private_site("require_private = true", "privacy.sites=santos", *FEW, name="paulista")
    for call in (other.worker().join, lambda: other.worker().train(other.ask(1))):
        with pytest.raises(DataError, match="under differential privacy at this site"):
            call()
    named = private_site("require_private = true", "privacy.sites=santos", *FEW, name="santos")
    assert named.worker().join().fields["site"] == "santos"
