"""Which sites of a run train privately, and what is said of the others."""

from __future__ import annotations

import pytest

from shared_model import load_config
from shared_model.config import Config
from shared_model.config.at_site import config_at, require_private_sites
from shared_model.errors import ConfigError
from shared_model.privacy_statement import privacy_statement, site_labels


def mixed(*more: str) -> Config:
    return load_config("private-tiny", overrides=["privacy.sites=north,south", *more])


def test_without_names_every_site_is_private_and_with_them_no_other_is() -> None:
    everywhere = load_config("private-tiny")
    assert config_at(everywhere, "anywhere") is everywhere
    config = mixed()
    assert config.privacy.sites == ("north", "south")
    assert config_at(config, "south") is config
    west = config_at(config, "west")
    assert not west.privacy.enabled
    assert (west.model, west.losses, west.training) == (config.model, config.losses, config.training)
    plain = load_config("tiny")
    assert config_at(plain, "north") is plain
    assert not plain.privacy.covers("north")


def test_a_name_that_is_no_sites_is_refused() -> None:
    require_private_sites(mixed(), ["north", "south", "west"])
    with pytest.raises(ConfigError, match="no site 'south' to train privately") as caught:
        require_private_sites(mixed(), ["north", "sooth"])
    assert caught.value.where == "privacy.sites"
    with pytest.raises(ConfigError, match=r"privacy\.sites asks for differential privacy"):
        load_config("tiny", overrides=["privacy.sites=north"])


def test_every_site_is_labelled_and_the_model_promises_nothing_to_the_others() -> None:
    found = privacy_statement(mixed(), ["north", "south", "west"])
    assert found is not None
    assert found["private"] is False
    assert found["sites"] == {
        "north": "private: epsilon 8, delta 1e-05",
        "south": "private: epsilon 8, delta 1e-05",
        "west": "not private",
    }
    assert "west trained without differential privacy" in found["why"]
    assert "patients of west: nothing is promised to them" in found["not_covered"]
    unknown = privacy_statement(mixed())
    assert unknown is not None
    assert unknown["private"] is False
    assert "every site that is not named" in unknown["why"]


def test_where_all_are_named_all_are_private() -> None:
    for config in (mixed(), load_config("private-tiny")):
        found = privacy_statement(config, ["north", "south"])
        assert found is not None
        assert found["private"] is True
        assert set(found["sites"].values()) == {"private: epsilon 8, delta 1e-05"}


def test_seeded_noise_is_said_of_each_site_and_a_plain_run_has_no_labels() -> None:
    assert "protects nobody" in site_labels(mixed("privacy.seeded=true"), ["north"])["north"]
    assert site_labels(load_config("tiny"), ["north"]) == {}
