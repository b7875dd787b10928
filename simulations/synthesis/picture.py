"""From a patient's labels to the JPEG files of their eyes.

Shapes are drawn once an eye, photographs once a photograph, each from a generator of its own.
"""

from __future__ import annotations

from simulations.synthesis.anatomy import Style, draw_anatomy, draw_style
from simulations.synthesis.camera import CAMERAS, Camera, draw_field, encode, expose, scaled
from simulations.synthesis.findings import draw_findings
from simulations.synthesis.labels import Eye, Generator, Patient, Photograph, Side, generator
from simulations.synthesis.lesions import draw_retinopathy
from simulations.synthesis.retina import EyePicture, draw_retina, smear
from simulations.synthesis.view import draw_view


def draw_eye(eye: Eye, style: Style, rng: Generator) -> EyePicture:
    """The shapes of one eye, from its labels and the patient's style."""
    anatomy = draw_anatomy(style, eye, rng)
    retinopathy = draw_retinopathy(eye, anatomy, rng)
    marks = (*draw_findings(eye, anatomy, rng), *retinopathy.marks)
    return EyePicture(eye.side, anatomy, marks, retinopathy.beaded)


def draw_photographs(patient: Patient, seed: int, size: int = 100) -> list[bytes]:
    """The JPEG files of a patient, in the order of their photographs; size in percent of the camera's own."""
    camera = scaled(CAMERAS[patient.center], size)
    style = draw_style(generator(seed, patient.number, 4))
    eyes: dict[Side, EyePicture] = {}
    files = []
    for k, photograph in enumerate(patient.photographs):
        eye = photograph.eye
        if eye.side not in eyes:
            purpose = 5 if eye.side == "right" else 6
            eyes[eye.side] = draw_eye(eye, style, generator(seed, patient.number, purpose))
        rng = generator(seed, patient.number, 10 + k)
        files.append(_photograph(eyes[eye.side], photograph, camera, rng))
    return files


def _photograph(eye: EyePicture, photograph: Photograph, camera: Camera, rng: Generator) -> bytes:
    view = draw_view(eye.side, camera, "image_field" in photograph.bad, rng)
    planes = draw_retina(eye, view, rng)
    if "artifacts" in photograph.bad:
        smear(planes, view, rng)
    field = draw_field(camera, "illumination" in photograph.bad, rng)
    return encode(expose(planes, field, camera, photograph.bad, rng), camera, rng)
