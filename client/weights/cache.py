"""Where a site keeps pretrained encoders: a folder of its state in the hub's own layout, so that nothing else asks.

The libraries look for weights, tokenizers and shapes where HF_HUB_CACHE says; an operator who has set it keeps their
own place, and a site that imported nothing keeps the library's.
"""

from __future__ import annotations

import os
from pathlib import Path

from client.site.contents import WEIGHTS
from client.site.state import SiteState

VARIABLE = "HF_HUB_CACHE"


def cache_folder(state: SiteState) -> Path:
    """The site's offline cache."""
    return state.path(WEIGHTS)


def use_imported(state: SiteState) -> None:
    """Let this process find what was imported. Must run before the hub's library is loaded."""
    folder = cache_folder(state)
    if folder.is_dir():
        os.environ.setdefault(VARIABLE, str(folder))
