"""A few photographs of each site for the report, as the model sees them. Only for reports made where the data is."""

from __future__ import annotations

import io

from PIL import Image

from client.data.images import ImageStore
from shared_model.randomness import numpy_generator
from simulations.prepare import Prepared

PER_SITE = 5


def sample_photographs(prepared: Prepared, seed: int) -> dict[str, list[tuple[bytes, str]]]:
    """Site to (JPEG bytes, caption): one test photograph of each ICDR grade it has, drawn by the seed."""
    samples: dict[str, list[tuple[bytes, str]]] = {}
    tested = prepared.table[prepared.table["split"] == "test"]
    for site, patients in prepared.sites.items():
        own = tested[tested["patient_id"].isin(set(patients)) & tested["icdr"].notna()]
        draw = numpy_generator(seed, "report-samples", site)
        chosen = []
        for grade, group in own.groupby("icdr"):
            record = group["record_id"].iloc[int(draw.integers(len(group)))]
            chosen.append((jpeg(prepared.images, record), f"ICDR {grade}"))
        samples[site] = chosen[:PER_SITE]
    return samples


def jpeg(images: ImageStore, record: str) -> bytes:
    """A record's prepared photograph as JPEG, without any header of its file."""
    pixels = images.batch([images.index_of(record)])[0]  # (3, S, S)
    stream = io.BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(stream, "JPEG", quality=88)
    return stream.getvalue()
