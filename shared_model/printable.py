"""Text that came from somebody else, made fit for a terminal, a log and a table.

An escape sequence in a site's name could clear an operator's screen or write a line of its own on it, and marks of
writing direction could show a name as another. Nothing of a text is believed to be short, either.
"""

from __future__ import annotations

LONGEST = 300  # characters of a sentence
NAME = 64  # and of a name
_INSTEAD = "?"


def printable(text: str, longest: int = LONGEST) -> str:
    """The text in one line of at most so many characters; what cannot be seen as it is becomes a question mark."""
    shown = visible(text[:longest].replace("\n", _INSTEAD))
    return shown if len(text) <= longest else shown[:-1] + "…"


def visible(text: str) -> str:
    """The text, lines kept, with a question mark for each control character and each mark that is not seen."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one == "\n" else _INSTEAD for one in text)
