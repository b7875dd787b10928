"""The words that our own messages are made of: whatever else stands in a log came from somewhere else.

They are read out of the installed source, so that a new message needs no entry here. Folders and files whose strings
are about patients' records (titles, words of names, columns, findings, tables for doctors) are left out, and wherever
else the names of findings and of what is known of a patient stand: none of those words is ours.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

PACKAGES = ("client", "deploy", "shared_model")
_NOT_OURS = (
    *(
        "client/adapters",
        "client/check",
        "client/data",
        "client/evaluation",
        "client/inference",
        "client/use",
    ),
    *("client/site/describe.py", "client/statistics", "deploy/rehearsal", "shared_model/calibration.py"),
    *(
        "shared_model/evaluation",
        "shared_model/held_out.py",
        "shared_model/metrics",
        "shared_model/records.py",
    ),
    *("shared_model/report", "shared_model/statistics"),
)
_CLINICAL = (
    "male female positive negative diabetic disease referable icdr sdrg"  # beside FINDINGS and STRUCTURED
)
_ROOT = Path(__file__).parents[2]
_WORD = re.compile(r"[^\W\d_]+")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_NGINX = """accept bind broken certificate client close closed configuration connect connecting connection error
exited exiting expired failed gracefully handshake handshaking header host keepalive listen live no notice peer
prematurely process read reading received reconfiguring refused reopening request reset response revoked route send
sending shut signal start started timed to unreachable upstream verify waiting while with worker writev SSL Connection
Broken pipe Operation SIGHUP SIGQUIT SIGTERM SIGUSR SIGCHLD"""


@lru_cache(maxsize=1)
def own_words() -> frozenset[str]:
    """Every word of a string in our source, as it is written, and nginx's own for its errors."""
    found = set(_WORD.findall(_NGINX))
    for package in PACKAGES:
        for file in sorted((_ROOT / package).rglob("*.py")):
            if not file.relative_to(_ROOT).as_posix().startswith(_NOT_OURS):
                found.update(word for text in _strings(file) for word in _WORD.findall(text))
    clinical = _clinical()
    return frozenset(word for word in found if word.lower() not in clinical)


def _clinical() -> frozenset[str]:
    """The words of findings and of what is known of a patient, in small letters."""
    from shared_model.records import FINDINGS, STRUCTURED

    names = " ".join((*FINDINGS, *STRUCTURED, _CLINICAL)).replace("_", " ")
    return frozenset(names.split()) - {"other"}


def _strings(file: Path) -> Iterator[str]:
    """The strings of a file that are no documentation."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, _DOCUMENTED) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value
