"""What timm and transformers raise while an encoder is built, as one error that names the configuration's section.

They check sizes by assertions and exceptions of many kinds; to the person each is a value that does not fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub.errors import StrictDataclassError

from shared_model.errors import ConfigError

REFUSALS = (
    ValueError,
    TypeError,
    AssertionError,
    RuntimeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    OSError,
    ImportError,
    StrictDataclassError,
)


@contextmanager
def naming_encoder_errors(section: str, name: str) -> Iterator[None]:
    """Turn a library's refusal to build the encoder `name` into a ConfigError at `section` (`model.image`)."""
    try:
        yield
    except REFUSALS as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(
            f"the encoder {name!r} cannot be built with these values: {said:.200}",
            where=section,
            fix=f"check the sizes and the name given in {section}",
        ) from None
