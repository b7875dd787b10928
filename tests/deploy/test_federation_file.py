"""federation.yaml: what is wrong in it is said with its key or its line, before anything is made."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import DeployError
from deploy.federation import Federation, example, load_federation, parse_federation
from shared_model.errors import ConfigError

GOOD = "name: f\ncoordinator: {hosts: [a.example]}\nsites: [{name: moema}]\n"


def parsed(text: str | bytes) -> Federation:
    return parse_federation(text if isinstance(text, bytes) else text.encode(), "federation.yaml")


def test_the_example_is_a_federation_and_explains_every_key() -> None:
    text = example()
    described = parsed(text)
    assert [site.name for site in described.sites] == ["moema", "vila-mariana", "santos"]
    assert described.sites[0].keys == "machine"
    for section in (described, described.coordinator, described.sites[0], described.lifetimes):
        assert all(f"{key}:" in text for key in type(section).model_fields)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: f\nname: g\n", ("'name' stands twice", "line 2")),
        (GOOD + "sites: []", ("'sites' stands twice", "line 4")),
        ("name: [f\n", ("not YAML", "line 2")),
        ("name: &x f\nother: *x\n", ("aliases", "line 2")),
        ("", ("no keys and values",)),
        (b"\xff\xfe\x00", ("not YAML",)),
        ("[" * 3000, ("not YAML",)),
        ("when: 2026-99-99", ("not YAML",)),
        (GOOD + "nmae: f", ("nmae", "did you mean name")),
        (GOOD.replace("f\n", "no\n", 1), ("valid string, got False", "where: name")),
        (GOOD.replace("f\n", "../f\n", 1), ("a name is made of a to z", "where: name")),
        (GOOD.replace("moema", "Moema"), ("a name is made of", "sites.0.name")),
        (GOOD.replace("moema", "coordinator"), ("no name for a site",)),
        (GOOD.replace("{name: moema}", "{name: a}, {name: b}, {name: a}"), ("P101", "used twice: a")),
        (GOOD.replace("a.example", "https://a.example"), ("a host is a name like", "coordinator.hosts.0")),
        (GOOD.replace("a.example", "a_b.example"), ("a host is a name like",)),
        (GOOD.replace("a.example", "a.example:443"), ("a host is a name like",)),
        (GOOD.replace("a.example", "'*.example'"), ("a host is a name like",)),
        (GOOD.replace("a.example", "10.0.0.256"), ("a host is a name like",)),
        (GOOD.replace("a.example", "0.0.0.0"), ("nobody's",)),
        (GOOD.replace("a.example", "a.example, a.example"), ("names a host twice",)),
        (GOOD.replace("]}\ns", "], port: 70000}\ns"), ("65535", "coordinator.port")),
        (GOOD.replace("]}\ns", "], port: yes}\ns"), ("valid integer", "coordinator.port")),
        (GOOD + "lifetimes: {site: 399}", ("398", "lifetimes.site")),
        (GOOD + "lifetimes: {authority: 30}", ("must not be shorter",)),
        (GOOD.replace("[{name: moema}]", "[]"), ("at least 1", "where: sites")),
        (GOOD.replace("coordinator: {hosts: [a.example]}\n", ""), ("missing", "coordinator")),
    ],
)
def test_one_message_names_what_is_wrong_and_where(text: str | bytes, words: tuple[str, ...]) -> None:
    with pytest.raises((ConfigError, DeployError)) as error:
        parsed(text)
    assert all(word in str(error.value) for word in words), str(error.value)
    assert error.value.exit_code == 2
    assert "fedfundus-provision example" in error.value.fix or "did you mean" in error.value.fix


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_federation(path)
    (tmp_path / "large.yaml").write_bytes(b"#" * 300_000)
    with pytest.raises(ConfigError, match="too large"):
        load_federation(tmp_path / "large.yaml")


@given(st.one_of(st.binary(max_size=200), st.text(alphabet="name: [{}]&*!|>-\n'\"%@", max_size=80)))
def test_no_input_ends_in_anything_but_a_message(text: bytes | str) -> None:
    with contextlib.suppress(ConfigError, DeployError):
        parsed(text)


@given(st.text(max_size=80))
def test_a_host_that_is_taken_is_safe_in_a_certificate_and_in_a_configuration(host: str) -> None:
    try:
        described = Federation.model_validate(
            {"name": "f", "coordinator": {"hosts": [host]}, "sites": [{"name": "a"}]}
        )
    except ValueError:
        return
    assert set(described.coordinator.hosts[0]) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-:")
