"""The kinds of models, by the name that checkpoints and TOML files give them."""

from __future__ import annotations

from typing import Any

from gattn_tg.errors import ConfigError
from gattn_tg.models import bases, classifier, encoder, gpt, tracks
from gattn_tg.models.imported import classifier as imported_classifier
from gattn_tg.models.imported import encoder as imported_encoder
from gattn_tg.models.imported.tracks import network as imported_tracks
from gattn_tg.models.kind import Kind
from gattn_tg.models.sites import network as sites

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (
        classifier.KIND, gpt.KIND, encoder.KIND, tracks.KIND, bases.KIND, sites.KIND, imported_encoder.KIND,
        imported_classifier.KIND, imported_tracks.KIND,
    )
}


def kind_of(name: str, where: str) -> Kind:
    """The kind of a name.

    Raises:
        ConfigError: no such kind.
    """
    if name not in KINDS:
        raise ConfigError(f"{where}: expected as kind of model one of {', '.join(KINDS)}, got {name[:80]!r}; "
                          "correct it")
    return KINDS[name]


def kind_of_model(model: Any) -> Kind:
    """The kind of a network.

    Raises:
        ConfigError: its class is of no kind.
    """
    return kind_of(type(model).__name__, "model")
