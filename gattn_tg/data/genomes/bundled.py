"""The real data that travels with the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gattn_tg.data.split import split
from gattn_tg.errors import GattnError
from gattn_tg.io.labelled import LabelledTable, read_labelled
from gattn_tg.types import Int

SPLICE_JUNCTIONS = "splice_junctions.csv.gz"
ALPHA_GLOBIN = "alpha_globin_hg38.fa.gz"
ALPHA_GLOBIN_EXONS = "alpha_globin_exons.gtf.gz"
JASPAR = "jaspar2024_vertebrates.jaspar.gz"

SPLICE_SIZES = (2000, 500, 686)
SPLICE_SEED = 20261122
"""Sizes of the parts train, valid, test and the seed of the demo's fixed split."""

_PACKAGE = Path(__file__).resolve().parents[2]


def bundled(name: str, folder: str = "data") -> Path:
    """Return the path of a bundled file.

    Args:
        name: of the file, for example "splice_junctions.csv.gz" or "alpha_globin_hg38.fa.gz".
        folder: "data", or "configs" for the example configurations.

    Raises:
        GattnError: there is no such file, neither in the installed package nor in the repository around it.
    """
    places = (_PACKAGE / "_examples" / folder, _PACKAGE.parent / "examples" / folder)
    for place in places:
        if (place / name).is_file():
            return place / name
    raise GattnError(
        f"bundled data: expected {name!r} in {places[0]} or {places[1]}, but it is in neither; "
        "install the package again or run inside the repository"
    )


def example_configs() -> list[Path]:
    """Return the example configurations, sorted by name."""
    return sorted(bundled("splice.toml", "configs").parent.glob("*.toml"))


def splice_junctions() -> tuple[LabelledTable, tuple[Int[np.ndarray, "k"], ...]]:
    """Return the bundled splice-junction table and the row numbers of its fixed parts: train, valid, test.

    The parts have 2,000, 500 and 686 rows and the same mix of classes; copies of one sequence are in one part.
    """
    table = read_labelled(bundled(SPLICE_JUNCTIONS))
    assert table.labels is not None
    return table, split(table.labels, SPLICE_SIZES, SPLICE_SEED, groups=table.sequences)
