"""Matrices of JASPAR by name: from the release that travels with the package, others from pyjaspar."""

from __future__ import annotations

from collections.abc import Iterable

from gattn_tg.data.genomes.bundled import JASPAR, bundled
from gattn_tg.io import MotifMatrix, jaspar_matrices, read_matrices, select
from gattn_tg.io.motifs.jaspar import RELEASE

BUNDLED = RELEASE, "vertebrates"


def matrices_by_name(
    names: Iterable[str], *, release: str = RELEASE, tax_group: str = "vertebrates"
) -> list[MotifMatrix]:
    """The matrices of factors, in the order of the names; see `io.jaspar_matrices`.

    Raises:
        MissingExtraError: another release or group than the bundled one, and pyjaspar is not installed.
        ConfigError: an unknown release or name.
    """
    if (release, tax_group) == BUNDLED:
        return select(read_matrices(bundled(JASPAR)), names, " ".join(BUNDLED))
    return jaspar_matrices(names, release=release, tax_group=tax_group)
