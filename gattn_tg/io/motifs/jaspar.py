"""Matrices by name from the releases of JASPAR that pyjaspar carries, without a network."""

from __future__ import annotations

from collections.abc import Iterable

from gattn_tg.errors import ConfigError, MissingExtraError
from gattn_tg.io.motifs.matrices import select
from gattn_tg.io.motifs.matrix import MotifMatrix, as_written, matrix

RELEASE = "JASPAR2024"
"""Pinned: matrices change their length between releases."""


def jaspar_matrices(
    names: Iterable[str], *, release: str = RELEASE, tax_group: str = "vertebrates"
) -> list[MotifMatrix]:
    """Return the matrices of factors from the non-redundant CORE collection, in the order of the names.

    Args:
        names: factors ("CTCF") or matrix ids ("MA0139.2", any version of the release).
        release: "JASPAR2014" to "JASPAR2026".
        tax_group: "vertebrates", "plants", "fungi", "insects", "nematodes" or "urochordates".

    Raises:
        MissingExtraError: pyjaspar is not installed.
        ConfigError: an unknown release or name.
    """
    try:
        import pyjaspar
    except ImportError as missing:
        raise MissingExtraError(
            "io.jaspar: expected pyjaspar to look motifs up by name, but it is not installed; "
            'pip install "gattn_tg[jaspar]", or read a motif file from jaspar.elixir.no'
        ) from missing
    try:
        database = pyjaspar.jaspardb(release=release)
    except ValueError as error:
        raise ConfigError(
            f"jaspar: expected a release that pyjaspar carries, got {release!r}; {RELEASE} is the default"
        ) from error
    found = database.fetch_motifs(collection="CORE", tax_group=[tax_group], all_versions=False)
    matrices = [
        matrix(
            f"{release} {motif.matrix_id}", motif.matrix_id, motif.name,
            zip(*(map(as_written, motif.counts[base]) for base in "ACGT"), strict=True),
        )
        for motif in found
    ]  # fmt: skip
    return select(matrices, names, f"{release} {tax_group}")
