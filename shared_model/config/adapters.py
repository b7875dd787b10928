"""The keys of `[model.adapters]`: low-rank adapters on the encoders in place of training their last blocks.

What they cost and save stands in docs/exchange.md. Off unless they are asked for: the source paper has none.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from shared_model.config.section import Natural, Positive, Section

Blocks = Literal["none", "last", "all"]


class AdaptersConfig(Section):
    """LoRA (Hu et al. 2022) on every linear layer of the chosen blocks; all weights of the encoders are then frozen.

    blocks: `last` adapts those beyond frozen_blocks, so that what the trunk gives can still be kept; `all` adapts
    every block, and nothing of the encoders' work can be kept. An adapter's output is multiplied by alpha / rank.
    """

    blocks: Blocks = "none"
    rank: Natural = 8
    alpha: Positive = 16.0
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0  # of what adapters read, in training

    @model_validator(mode="after")
    def _has_a_rank(self) -> AdaptersConfig:
        if self.blocks != "none" and self.rank == 0:
            raise ValueError(
                f'model.adapters.rank 0 is no adapter: give 1 or more, or set model.adapters.blocks to "none" '
                f'(it is "{self.blocks}")'
            )
        return self
