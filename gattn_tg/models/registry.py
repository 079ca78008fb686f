"""The kinds of models, by the name that checkpoints and TOML files give them."""

from __future__ import annotations

from typing import Any, NamedTuple

from gattn_tg.errors import ConfigError
from gattn_tg.models.bases import PerBaseConfig, PerBaseModel
from gattn_tg.models.classifier import SequenceClassifier
from gattn_tg.models.config import ClassifierConfig, Config
from gattn_tg.models.encoder import EncoderConfig, MaskedEncoder
from gattn_tg.models.gpt import GenomicGPT, GPTConfig
from gattn_tg.models.tracks import TrackConfig, TrackModel


class Kind(NamedTuple):
    """A configuration class and the model class that it describes: `kind.model(kind.config(...), seed=0)`."""

    config: type[Config]
    model: type[Any]


KINDS: dict[str, Kind] = {
    "SequenceClassifier": Kind(ClassifierConfig, SequenceClassifier),
    "GenomicGPT": Kind(GPTConfig, GenomicGPT),
    "MaskedEncoder": Kind(EncoderConfig, MaskedEncoder),
    "TrackModel": Kind(TrackConfig, TrackModel),
    "PerBaseModel": Kind(PerBaseConfig, PerBaseModel),
}


def kind_of(name: str, where: str) -> Kind:
    """The kind of a name.

    Raises:
        ConfigError: no such kind.
    """
    if name not in KINDS:
        raise ConfigError(f"{where}: the kind of model must be one of {', '.join(KINDS)}, but is {name!r}; correct it")
    return KINDS[name]
