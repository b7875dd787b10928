"""The page of errors has every number of the code once, and what it quotes of a site is what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest
from errors_page import AT_A_SITE, PAGE, ROOT, SOURCES, explained, numbers, page


@pytest.mark.parametrize("document", SOURCES)
def test_every_number_is_explained_in_its_document_and_none_else(document: str) -> None:
    assert sorted(explained(document)) == numbers(SOURCES[document])


def test_the_page_is_what_the_code_and_the_documents_make() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "make errors-page writes it anew"


def test_what_the_page_quotes_of_a_site_is_said_by_one() -> None:
    source = (
        "\n".join(
            "".join(path.read_text(encoding="utf-8").split())
            for path in sorted(Path(ROOT / "client").rglob("*.py"))
        )
        .replace('""', "")
        .replace('"f"', "")
    )
    for sentence, _ in AT_A_SITE:
        assert "".join(sentence.split()) in source, sentence
