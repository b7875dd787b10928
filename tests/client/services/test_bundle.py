"""What is handed to somebody who helps: our own words, and nothing that names a patient, a file or a machine."""

from __future__ import annotations

import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.cli import main
from client.services.bundle import mask, redacted
from client.services.own_words import own_words
from client.services.services import services_of
from client.site.config import load_site

Run = Callable[..., tuple[int, str, str]]
OURS = "2026-11-22 13:00:00,123 ERROR client.worker.service: "
NGINX = "2026/11/22 13:00:00 [error] 123#123: "
NAMES = (
    "Quintanilha",
    "Zebulon",
    "Souza",
    "Maria",
    "O'Neill",
    "D’Ávila",
    "João",
    "ZEBULON",
    "zebulon",
    "Müller-Lüdenscheid",
)
IDENTITIES = ("12345678", "123.456.789-00", "BR-0042-7", "4711", "A98B", "af09e1c2")
DATES = ("1961-04-02", "02/04/1961", "2 Apr 1961", "19610402", "02.04.61")
PATHS = (
    "/srv/fundus/maria.jpg",
    "C:\\fundus\\maria.jpg",
    "~/fundus/zebulon",
    "../quintanilha.png",
    "maria@clinic.example",
)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "site.toml").write_text('[site]\nname = "moema"\n[data]\nfolder = "data"\n')
    return tmp_path


@pytest.fixture
def logs(site: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    def run(*given: object) -> tuple[int, str, str]:
        line = ["fedfundus-site", "logs", *map(str, given), "--config", str(site / "site.toml")]
        monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


PLANTED = """2026-11-22 13:00:00,123 INFO client.gateway.loop: received train
2026-11-22 13:00:01,123 ERROR client.worker.service: train was refused: '/srv/Maria Souza.jpg' of 12345678
  where: /srv/fundus/Maria Souza.jpg
Traceback (most recent call last):
  File "/srv/fundus/x.py", line 3, in <module>
ValueError: patient Maria Souza, born 1961-04-02
2026-11-22 13:00:02,123 WARNING client.gateway.forward: asked by maria@hospital.example from 10.20.30.40
a library's own words about Maria Souza
2026-11-22 13:00:03,123 WARNING pandas.io: this site's Maria Souza
2026-11-22 13:00:04,123 WARNING client.gateway.forward: this site's worker cannot be reached
2026-11-22 13:00:05,123 ERROR client.worker.service: the site's note of Maria Souza, it's Zebulon's, is refused
2026-11-22 13:00:06,123 ERROR client.worker.service: the photographs of Maria Souza cannot be read
"""


def test_a_bundle_holds_nothing_that_names_a_patient_a_file_or_a_machine(logs: Run, site: Path) -> None:
    folder = services_of(load_site(site / "site.toml")).folder
    folder.mkdir()
    for name in ("worker", "gateway", "proxy"):
        (folder / f"{name}.log").write_text(PLANTED)
    code, told, _ = logs("--bundle", site / "help.tar.gz")
    assert (code, "worker: 4 lines, 8 left out" in told) == (0, True)
    with tarfile.open(site / "help.tar.gz") as archive:
        held = {entry.name: archive.extractfile(entry) for entry in archive}
        text = "\n".join(file.read().decode() for file in held.values() if file is not None)
    assert "received train" in text
    assert "this site worker cannot be reached" in text
    assert "the photographs of ... ... cannot be read" in text
    for planted in (
        "Maria",
        "Souza",
        "Zebulon",
        "12345678",
        "1961",
        "hospital.example",
        "10.20.30.40",
        "/srv",
        str(site),
    ):
        assert planted not in text
    assert logs("--bundle", site / "help.tar.gz")[0] == 2  # nothing is overwritten


@pytest.mark.parametrize(
    "said",
    [
        "evaluate: the worker says: this site has not joined the run that asks",
        "P402 the coordinator refuses this site",
        "received train",
    ],
)
def test_masking_keeps_what_helps(said: str) -> None:
    assert mask(said) == said


def test_numbers_are_masked() -> None:
    assert mask("connected as node 11997887605407643885") == "connected as node #"


def test_nginx_is_shown_without_whom_it_served() -> None:
    line = (
        NGINX
        + "*5 connect() failed (111: Connection refused) while connecting to upstream, "
        + 'client: 10.1.2.3, request: "GET /x"'
    )
    assert redacted(line) == (
        [
            "2026/11/22 13:00:00 [error] *# connect() failed (#: Connection refused) while connecting to upstream"
        ],
        0,
    )


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-22 13:00:00,123 INFO pandas.io: received train",
        "2026-11-22 13:00:00,123 INFO clientele.io: received train",
        "2026-11-22 13:00:00,123 SHOUTED client.io: received train",
        OURS + "received 'train'",
        OURS + 'received "train"',
        OURS + "received train at /x",
        OURS + "received\u2028train",
        OURS + "received\x1b[2Jtrain",
        OURS + "    ^^^^^",
        "    ^^^^^",
    ],
)
def test_what_is_not_plainly_ours_is_left_out(line: str) -> None:
    assert redacted(line) == ([], 1)


CLINICAL = """male female positive insulin drusens Drusens diabetes Diabetes retinopathy macular nevus amd ICDR icdr
left-eye hemorrhage disease referable hypertensive"""


@pytest.mark.parametrize("word", CLINICAL.split())
def test_what_is_known_of_a_patient_is_no_word_of_ours(word: str) -> None:
    assert mask(f"train was refused: {word}") == "train was refused: ..."


planted = st.sampled_from([*NAMES, *IDENTITIES, *DATES, *PATHS])
between = st.sampled_from(
    [" ", "'", '"', "’", ", ", ": ", "\n", "\r", "'s ", "\t", "=", "(", "\u2028", "-", "_", ".", "|"]
)
words = st.sampled_from(
    ["the", "site's", "photographs", "cannot", "be", "read", "train", "was", "refused", "it's", "of"]
)
heads = st.sampled_from([OURS, NGINX, "2026-11-22 13:00:00,123 INFO PIL.Image: ", "", "ValueError: "])


@given(
    st.lists(
        st.tuples(heads, st.lists(st.tuples(st.one_of(words, planted), between), max_size=8)), max_size=5
    )
)
def test_nothing_that_was_planted_is_ever_shown(lines: list[tuple[str, list[tuple[str, str]]]]) -> None:
    text = "\n".join(head + "".join(word + gap for word, gap in said) for head, said in lines)
    shown = "\n".join(
        line.removeprefix(OURS).removeprefix("2026/11/22 13:00:00 [error] ") for line in redacted(text)[0]
    )
    assert not any(character.isdigit() for character in shown)
    lowered = shown.lower()
    for part in (
        "quintanilha",
        "zebulon",
        "souza",
        "maria",
        "neill",
        "vila",
        "joão",
        "müller",
        "apr ",
        "clinic",
        "fundus",
        "srv",
    ):
        assert part not in lowered


@given(st.text(max_size=60))
def test_whatever_a_message_of_ours_carries_only_our_words_are_shown(text: str) -> None:
    for line in redacted(OURS + text)[0]:
        letters = "".join(character if character.isalpha() else " " for character in line.removeprefix(OURS))
        assert own_words().issuperset(letters.split())
