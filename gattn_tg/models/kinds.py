"""The kinds of models, by the name that checkpoints and TOML files give them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from gattn_tg.errors import ConfigError
from gattn_tg.models.kind import Kind

HOMES = {
    "SequenceClassifier": "gattn_tg.models.classifier",
    "GenomicGPT": "gattn_tg.models.gpt",
    "MaskedEncoder": "gattn_tg.models.encoder",
    "TrackModel": "gattn_tg.models.tracks",
    "PerBaseModel": "gattn_tg.models.bases",
    "SiteModel": "gattn_tg.models.sites.network",
    "ImportedEncoder": "gattn_tg.models.imported.encoder",
    "ImportedClassifier": "gattn_tg.models.imported.classifier",
    "ImportedTracks": "gattn_tg.models.imported.tracks.network",
}


class Kinds(Mapping[str, Kind]):
    """The `KIND` of the file of each model, which is loaded when it is asked for: one model needs one of them."""

    def __getitem__(self, name: str) -> Kind:
        kind: Kind = import_module(HOMES[name]).KIND
        return kind

    def __iter__(self) -> Iterator[str]:
        return iter(HOMES)

    def __len__(self) -> int:
        return len(HOMES)

    def __contains__(self, name: object) -> bool:
        return name in HOMES


KINDS = Kinds()


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
