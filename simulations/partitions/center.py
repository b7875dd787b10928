"""One site a centre, where the centre is known; else the nearest published stand-ins, said loudly.

BRSET comes from three outpatient centres in São Paulo, which its table does not name. Published work comes
nearest to them by the camera and the field of the photographs (facts on BRSET): Canon; Nikon patients with a
bad image field; the other Nikon patients.
"""

from __future__ import annotations

from shared_model.errors import DataError
from simulations.partitions.column import by_column, require_count
from simulations.partitions.dealt import Dealt
from simulations.partitions.units import Unit

_CANON, _NIKON_FIELD, _NIKON = "proxy-canon", "proxy-nikon-field-2", "proxy-nikon-other"
PROXY_NOTICE = (
    "THESE ARE NOT THE REAL CENTRES. The data names none, so three proxies stand in for them: Canon; Nikon "
    "patients with image_field 2; the other Nikon patients. Give centers.csv (patient_id, center) or a "
    "center column to partition by real centres."
)


def deal(units: list[Unit], sites: int | None, seed: int, alpha: float) -> Dealt:
    """Sites by centre, or the three proxies; seed and alpha play no part.

    Raises DataError where there are neither centres nor both camera makes that the proxies need.
    """
    if any(unit.places["center"] for unit in units):
        return by_column(units, "center", sites)
    return _proxies(units, sites)


def _proxies(units: list[Unit], sites: int | None) -> Dealt:
    held: dict[str, list[Unit]] = {_CANON: [], _NIKON_FIELD: [], _NIKON: []}
    left_out = 0
    for unit in units:
        name = _proxy(unit)
        if name is None:
            left_out += len(unit.patients)
        else:
            held[name].append(unit)
    empty = [name for name, members in held.items() if not members]
    if empty:
        raise DataError(
            "The data names no centres, and the stand-ins for BRSET's cannot be made of it: no patients for "
            f"{', '.join(empty)}.",
            where="columns center, camera and image_field",
            fix="Add centers.csv (patient_id, center), or use --partition camera, dirichlet or iid.",
        )
    require_count(len(held), sites, "proxy centres", ", ".join(held))
    said = [f"{left_out} patients were photographed by neither make: they take part at no site."]
    return Dealt(held, proxy=True, notices=[PROXY_NOTICE, *(said if left_out else [])])


def _proxy(unit: Unit) -> str | None:
    camera = (unit.most_frequent("camera") or "").casefold()
    if "canon" in camera:
        return _CANON
    if "nikon" not in camera:
        return None
    return _NIKON_FIELD if unit.bad_field else _NIKON
