from __future__ import annotations

from shared_model.wording import counted, worded


def test_verbs_and_nouns_agree_with_the_count() -> None:
    sentence = "{n} [row has|rows have] a grade ({why})"
    assert worded(sentence, 1, why="of 7") == "1 row has a grade (of 7)"
    assert worded(sentence, 1200, why="[a|b] {n}") == "1,200 rows have a grade ([a|b] {n})"
    assert (counted(0, "row"), counted(1, "row"), counted(2, "row")) == ("0 rows", "1 row", "2 rows")
