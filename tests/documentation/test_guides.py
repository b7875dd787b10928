"""Every document names commands and options that exist and files that are there; a guide stays a page."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

import click
import pytest
import typer.main

import client.cli
import deploy.cli
import server.cli
import simulations.cli

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
PAGES = [*GUIDES, ROOT / "docs" / "README.md", ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md"]
PROGRAMS = {
    "fedfundus-site": client.cli.app,
    "fedfundus-coordinator": server.cli.app,
    "fedfundus-provision": deploy.cli.app,
    "fedfundus-simulate": simulations.cli.app,
}
MOST_WORDS = 1100  # a page in print, tables included
CALL = re.compile(r"\b(?<!sudo -u )(fedfundus-(?:site|coordinator|provision|simulate))((?: [^\s`|#;&>)]+)*)")
DOCUMENTS = [*PAGES, ROOT / "README.md", *(ROOT / "docs").glob("[!R]*.md")]
PARTS = ("shared_model", "client", "server", "simulations", "deploy")
named = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
every_document = pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.stem)


def texts(page: Path) -> list[str]:
    """What is set as code: fenced lines, and words between backticks."""
    text = page.read_text(encoding="utf-8")
    fences = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    rest = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [line for fence in fences for line in fence.splitlines()] + re.findall(r"`([^`\n]+)`", rest)


@cache
def commands_of(program: str) -> click.Command:
    return typer.main.get_command(PROGRAMS[program])


def wrong(call: str) -> str:
    """What of a call does not exist, "" for a good one."""
    words = shlex.split(call.replace("'", " ").replace('"', " "))
    command = commands_of(words[0])
    rest = words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.commands.get(rest[0])
        if found is None:
            return f"{words[0]} has no command {rest[0]}"
        command, rest = found, rest[1:]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    given = {word.split("=")[0] for word in rest if word.startswith("--")} - {"--help"}
    return f"{call}: no option {sorted(given - known)[0]}" if given - known else ""


@every_document
def test_every_command_and_option_that_a_page_names_exists(page: Path) -> None:
    calls = [found[0] for text in texts(page) for found in CALL.finditer(text)]
    assert [problem for call in calls if (problem := wrong(call))] == []


@every_document
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            slugs = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
            assert heading in slugs, target


@named
def test_a_guide_is_one_page_in_plain_punctuation(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(re.findall(r"\S*\w\S*", text)) <= MOST_WORDS
    assert "—" not in text


def test_the_index_leads_to_every_guide_and_document() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in [*GUIDES, *(ROOT / "docs").glob("*.md")]:
        if page.name != "README.md":
            assert f"({page.relative_to(ROOT / 'docs')})" in index, page.name


@pytest.mark.parametrize("part", PARTS)
def test_the_map_of_the_folders_names_every_folder(part: str) -> None:
    (line,) = re.findall(
        rf"^\| `{part}/` .*$", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    folders = {file.parent.name for file in (ROOT / part).glob("*/__init__.py")}
    assert [name for name in sorted(folders) if f"`{name}/`" not in line] == []
