"""The configuration's keys, their types, bounds and defaults.

The defaults are the source paper's values wherever it states one, but for the loss weighting (docs/results.md);
presets (TOML files beside this one) and the user override them. Every object is frozen: a run cannot drift from
what was written beside its result.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from shared_model.config.adapters import AdaptersConfig
from shared_model.config.cache import CacheConfig
from shared_model.config.exchange import ExchangeConfig
from shared_model.config.federation import FederationConfig
from shared_model.config.privacy import PrivacyConfig
from shared_model.config.runtime import RuntimeConfig
from shared_model.config.section import Count, Fraction, Natural, NonNegative, Positive, Section
from shared_model.config.secure_aggregation import SecureAggregationConfig, refusal

LocalPart = Literal["image_decoder", "text_decoder"]
Modality = Literal["image", "text", "structured"]
DEFAULT_TEXT_HEADS = 2  # of a BERT made to measure, where model.text.heads is 0
LOSS_NAMES = (
    "image_text",
    "image_structured",
    "text_structured",
    "image_reconstruction",
    "text_reconstruction",
    "grading",
)


def _require_multiple(key: str, value: int, of: str, heads: int) -> None:
    """Attention cuts its width into one slice a head."""
    if value % heads:
        raise ValueError(f"{key} {value} is not a multiple of {of} {heads}")


class ImageEncoderConfig(Section):
    """A timm vision transformer by name; width, depth and heads of 0 keep the named model's own."""

    name: str = "vit_base_patch16_224"
    size: Annotated[int, Field(ge=32, le=1024, multiple_of=16)] = 224  # pixels, square
    width: Natural = 0
    depth: Natural = 0
    heads: Natural = 0
    patch: Natural = 0  # pixels a side; read by family clip alone, where 0 is the 32 of ViT-B/32
    stem: Literal["patch", "convolutional"] = "patch"
    frozen_blocks: Natural = 10
    weights: str = ""  # a local folder with safetensors; "" asks the hub cache by name
    sha256: str = ""  # of the weights file, checked when given

    @model_validator(mode="after")
    def _suits_a_transformer(self) -> ImageEncoderConfig:
        if self.width and self.heads:
            _require_multiple("model.image.width", self.width, "model.image.heads", self.heads)
        if self.width and self.stem == "convolutional" and (self.width < 8 or self.width % 4):
            raise ValueError(
                f"model.image.width {self.width} does not suit the convolutional stem, which needs a multiple of 4 "
                "from 8 on"
            )
        return self


class TextEncoderConfig(Section):
    """A transformers encoder by name; with width > 0 a BERT of that size is made instead."""

    name: str = "emilyalsentzer/Bio_ClinicalBERT"
    vocabulary: Natural = 28996
    width: Natural = 0
    depth: Natural = 0
    heads: Natural = 0
    feed_forward: Natural = 0
    maximum_tokens: Annotated[int, Field(ge=4, le=8192)] = 128  # read by the encoder
    kept_tokens: Count = 50  # passed on to fusion, beside CLS
    frozen_blocks: Natural = 10
    freeze_embeddings: bool = True
    weights: str = ""
    sha256: str = ""

    @model_validator(mode="after")
    def _suits_a_transformer(self) -> TextEncoderConfig:
        if self.width:
            heads = self.heads or DEFAULT_TEXT_HEADS
            _require_multiple("model.text.width", self.width, "model.text.heads", heads)
        return self


class StructuredEncoderConfig(Section):
    """Hidden widths of the structured-data MLP; its output is the fusion width."""

    hidden: tuple[Count, ...] = (64, 128)


class FusionConfig(Section):
    """The fusion transformer and the joint embedding."""

    width: Count = 256
    depth: Natural = 6  # 0: no fusion transformer, for a model that reads one input
    heads: Count = 8
    feed_forward: Count = 2048
    dropout: Fraction = 0.1
    joint: Count = 256

    @model_validator(mode="after")
    def _heads_divide_width(self) -> FusionConfig:
        _require_multiple("model.fusion.width", self.width, "model.fusion.heads", self.heads)
        return self


class DecoderConfig(Section):
    """Image decoder channels (one 2x step each, from size / 2**steps) and the text decoder."""

    enabled: bool = True
    image_channels: Annotated[tuple[Count, ...], Field(min_length=1)] = (256, 128, 64, 32, 16)
    text_layers: Count = 2
    text_heads: Count = 8
    text_feed_forward: Count = 1024


class ModelConfig(Section):
    """The fusion model of design section 3, or (family clip) the two towers it is compared with."""

    family: Literal["fusion", "clip"] = "fusion"
    inputs: Annotated[tuple[Modality, ...], Field(min_length=1)] = (
        "image",
        "text",
        "structured",
    )  # what is read
    image: ImageEncoderConfig = ImageEncoderConfig()
    text: TextEncoderConfig = TextEncoderConfig()
    structured: StructuredEncoderConfig = StructuredEncoderConfig()
    fusion: FusionConfig = FusionConfig()
    decoders: DecoderConfig = DecoderConfig()
    adapters: AdaptersConfig = AdaptersConfig()
    pretrained: Literal["auto", "required", "never"] = (
        "auto"  # auto: where found, else random weights, said so
    )
    # Modules that stay at the site. A part that evaluation reads would need one model a site there.
    local: tuple[LocalPart, ...] = ("image_decoder", "text_decoder")

    @model_validator(mode="after")
    def _decoder_heads_divide_the_fusion_width(self) -> ModelConfig:
        if self.decoders.enabled:
            heads = self.decoders.text_heads
            _require_multiple("model.fusion.width", self.fusion.width, "model.decoders.text_heads", heads)
        return self

    @model_validator(mode="after")
    def _clip_has_two_towers_and_no_decoder(self) -> ModelConfig:
        if self.family == "clip" and (set(self.inputs) != {"image", "text"} or self.decoders.enabled):
            raise ValueError(
                'model.family "clip" reads image and text and rebuilds neither: set model.inputs = ["image", "text"] '
                "and model.decoders.enabled = false"
            )
        return self

    @model_validator(mode="after")
    def _adapters_have_encoders_to_adapt(self) -> ModelConfig:
        if self.family == "clip" and self.adapters.blocks != "none":
            raise ValueError(
                'model.family "clip" trains its towers whole: set model.adapters.blocks to "none", '
                f'not "{self.adapters.blocks}"'
            )
        return self

    @model_validator(mode="after")
    def _fusion_is_there_where_inputs_meet(self) -> ModelConfig:
        if self.family == "fusion" and self.fusion.depth == 0 and len(self.inputs) > 1:
            raise ValueError("model.fusion.depth of 0 suits a model of one input only (model.inputs)")
        return self


class FixedWeights(Section):
    """Weight of each loss under `losses.weighting = "fixed"`."""

    image_text: NonNegative = 1.0
    image_structured: NonNegative = 1.0
    text_structured: NonNegative = 1.0
    image_reconstruction: NonNegative = 1.0
    text_reconstruction: NonNegative = 1.0
    grading: NonNegative = 1.0


class LossConfig(Section):
    """The six losses and how they are weighed."""

    weighting: Literal["softmax", "uncertainty", "fixed"] = "fixed"  # settled in docs/results.md
    floor: Annotated[float, Field(ge=0.0, lt=1 / 6)] = 0.0  # least softmax weight of each loss
    weight_rate: Positive = 1.0  # learning rate of learned weights, in multiples of the model's
    fixed: FixedWeights = FixedWeights()
    temperature: Positive = 0.07
    contrastive_source: Literal["unimodal", "paired"] = "unimodal"
    contrastive_targets: Literal["identity", "equal_notes"] = "identity"
    mask_notes: bool = True  # grading reads the note without sentences that state the grade
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    class_balance: Fraction = 0.0  # exponent on inverse training frequency of each grade


class AugmentationConfig(Section):
    """Random changes to training photographs."""

    flips: bool = True
    rotation_degrees: Annotated[float, Field(ge=0.0, le=180.0)] = 15.0
    brightness: Fraction = 0.1
    contrast: Fraction = 0.1


class TrainingConfig(Section):
    """The optimiser and its schedule; `local_steps` is what a site does in one round."""

    optimizer: Literal["adamw"] = "adamw"
    learning_rate: Positive = 1e-4
    weight_decay: NonNegative = 0.01
    gradient_norm: Positive = 1.0
    batch_size: Count = 8
    accumulation: Count = 1  # batches whose gradients make one step; each keeps its own contrastive negatives
    local_steps: Count = 100
    schedule: Literal["plateau", "cosine", "constant"] = "plateau"
    warmup_rounds: Natural = 0
    plateau_patience: Natural = 5  # rounds
    plateau_factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    early_stopping: Natural = 10  # rounds without a better validation loss; 0 is off
    modality_dropout: Fraction = 0.1
    augmentation: AugmentationConfig = AugmentationConfig()
    proximal: NonNegative = 0.01  # FedProx mu; read with strategy fedprox only


class DataConfig(Section):
    """Where records come from and how patients are split (train, validation; the rest is test)."""

    adapter: str = "brset"
    split: tuple[Fraction, Fraction] = (0.8, 0.1)
    minimum_cell: Natural = 0

    @model_validator(mode="after")
    def _leaves_a_test_set(self) -> DataConfig:
        if self.split[0] <= 0 or sum(self.split) > 1 - 1e-9:  # 1e-9: decimal fractions do not sum exactly
            raise ValueError(
                f"data.split {list(self.split)} leaves no patients: train must be above 0 and train + validation "
                "below 1, the rest is the test set"
            )
        return self


class EvaluationConfig(Section):
    """Bootstrap over patients, and batch size of inference."""

    resamples: Count = 1000
    bootstrap_seed: Natural = 0
    batch_size: Count = 64
    comparison: bool = True  # train each site alone and all data pooled beside the federation


class Config(Section):
    """Everything that decides a run."""

    preset: str = "paper"
    variant: str = "full"  # the named model of shared_model.config.variants that this one began as
    seed: Natural = 0
    model: ModelConfig = ModelConfig()
    losses: LossConfig = LossConfig()
    training: TrainingConfig = TrainingConfig()
    data: DataConfig = DataConfig()
    federation: FederationConfig = FederationConfig()
    exchange: ExchangeConfig = ExchangeConfig()
    cache: CacheConfig = CacheConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    secure_aggregation: SecureAggregationConfig = SecureAggregationConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    runtime: RuntimeConfig = RuntimeConfig()

    @model_validator(mode="after")
    def _secure_aggregation_can_be_had(self) -> Config:
        if (why := refusal(self.secure_aggregation, self.federation, self.runtime.engine)) is not None:
            raise ValueError(why)
        return self

    @model_validator(mode="after")
    def _reconstruction_needs_decoders(self) -> Config:
        if self.losses.weighting == "fixed" and not self.model.decoders.enabled:
            fixed = self.losses.fixed
            if fixed.image_reconstruction or fixed.text_reconstruction:
                raise ValueError(
                    "reconstruction losses need model.decoders.enabled = true, or a weight of 0 in losses.fixed"
                )
        return self
