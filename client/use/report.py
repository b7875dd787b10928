"""One page of what grading or searching found, with the photographs: for the site alone, and it says so.

It looks like the other reports. Photographs are small and part of the page, so that nothing is fetched; of many cases
only those that a person should look at first are shown, and the table beside it holds all.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from client.data.pipeline import PIPELINE_VERSION
from client.data.pixels import Array
from client.use.cases import Cases
from client.use.decision import ASK, KINDS
from client.use.finished import NOTICE, Finished
from client.use.grading import Graded
from client.use.own_grades import OwnGrades
from client.use.patients import EYES, Patient
from client.use.reading import read_photographs
from client.use.search import Search
from client.use.wording import held_out_grading, held_out_retrieval, own_grades, promises, searched
from shared_model.report import palette
from shared_model.version import PACKAGE_VERSION

SHOWN = 200  # cases, and patients, on the page
_SIDE = 160  # pixels of a photograph in the list of cases
_LARGE = 320  # and of one that was found
_HERE = Path(__file__).parent


def grades_page(
    finished: Finished,
    of: Cases,
    cases: Sequence[Graded],
    patients: Sequence[Patient],
    summary: Mapping[str, Any],
    kept: OwnGrades,
    table: Path,
) -> str:
    """The page of graded cases. table: where all of them are written."""
    graded, lost = [c for c in cases if not c.lost], [c for c in cases if c.lost]
    return _render(
        "grade.html",
        finished,
        of,
        decisive=finished.tasks[0],
        cases=list(zip(graded[:SHOWN], _pictures([c.path for c in graded[:SHOWN]], _SIDE), strict=True)),
        lost=lost[:SHOWN],
        more=max(0, len(graded) - SHOWN),
        more_lost=max(0, len(lost) - SHOWN),
        patients=patients[:SHOWN],
        more_patients=max(0, len(patients) - SHOWN),
        eyes=EYES,
        summary=summary,
        kinds=KINDS,
        ask=ASK,
        alarm=own_grades(kept)[0],
        promises=[*own_grades(kept)[1:], *promises(finished, cases), held_out_grading(finished)],
        table=table.name,
    )


def hits_page(finished: Finished, of: Cases, search: Search) -> str:
    """The page of photographs that were found."""
    return _render(
        "find.html",
        finished,
        of,
        search=search,
        hits=list(zip(search.hits, _pictures([hit.path for hit in search.hits], _LARGE), strict=True)),
        sentences=[*searched(search), held_out_retrieval(finished, len(search.hits))],
    )


def _render(template: str, finished: Finished, of: Cases, **values: Any) -> str:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(
        css=Markup((files("shared_model.report") / "page.css").read_text("utf-8")),
        colours=palette.ALL,
        name=of.name,
        notices=of.notices,
        tasks=finished.tasks,
        sha256=finished.sha256,
        notice=NOTICE,
        package=PACKAGE_VERSION,
        pipeline=PIPELINE_VERSION,
        **values,
    )


def _pictures(paths: Sequence[str], side: int) -> list[str]:
    """Photographs as the model sees them, as data: addresses; "" for one that can no longer be read."""
    rows = pd.DataFrame({"record_id": [str(place) for place in range(len(paths))], "image_path": list(paths)})
    return ["" if pixels is None else _address(pixels) for _, pixels in read_photographs(rows, side, 1)]


def _address(pixels: Array) -> str:
    stream = io.BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(stream, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
