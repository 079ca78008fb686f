"""What was learnt about motif classes, moved to the ids that the classes have in another vocabulary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gattn_tg.models.config import TrunkConfig
from gattn_tg.motif import MotifVocabulary
from gattn_tg.types import Float

EMBEDDING, TABLE = "embed_motifs.weight", "motif_bias"


@dataclass(frozen=True)
class Classes:
    """The motif classes of a checkpoint and those of a model, matched by name.

    Args:
        there: ids of the matched classes in the checkpoint, id 0 ("no motif") among them.
        here: the same classes in the model.
        dropped: names of the checkpoint that the model does not have.
        new: names of the model that the checkpoint does not have.
        changed: names that both have, recognised by another rule or on another strand.
    """

    there: tuple[int, ...]
    here: tuple[int, ...]
    dropped: tuple[str, ...]
    new: tuple[str, ...]
    changed: tuple[str, ...]

    @property
    def are_equal(self) -> bool:
        """Whether every id means the same class in both."""
        return self.there == self.here and not self.dropped and not self.new


def matched(there: MotifVocabulary, here: MotifVocabulary) -> Classes:
    """Classes of the same name; what they are recognised by may have changed and is told."""
    pairs = [(there.names.index(name), k) for k, name in enumerate(here.names) if name in there.names]
    same = [(there.classes[i - 1], here.classes[k - 1]) for i, k in pairs if k]
    return Classes(
        there=tuple(i for i, _ in pairs),
        here=tuple(k for _, k in pairs),
        dropped=tuple(name for name in there.names if name not in here.names),
        new=tuple(name for name in here.names if name not in there.names),
        changed=tuple(a.name for a, b in same if (a.rule, a.strand) != (b.rule, b.strand)),
    )


def motif_axes(name: str, config: TrunkConfig) -> int:
    """How many axes of a parameter are indexed by motif ids: the first of the embedding, the last ones of a table."""
    if name == EMBEDDING:
        return 1
    if name.split(".")[-1] != TABLE or not config.bias.is_by_id:
        return 0  # a table that is indexed by something else means the same whatever the motifs are
    return config.bias.axes


def moved(
    old: Float[np.ndarray, "..."], new: Float[np.ndarray, "..."], axes: int, classes: Classes, name: str
) -> Float[np.ndarray, "..."] | None:
    """The new parameter with the values of the old one for all classes that both have; None where shapes do not fit.

    Args:
        old: Of the checkpoint.
        new: Of the model, as it begins.
        axes: See `motif_axes`.
        classes: What is moved where.
        name: Of the parameter.
    """
    here, there = np.array(classes.here), np.array(classes.there)
    if name == EMBEDDING:
        old, new = np.moveaxis(old, 0, -1), np.moveaxis(new, 0, -1)
    if old.ndim != new.ndim or old.shape[:-axes] != new.shape[:-axes]:
        return None
    result = new.copy()
    if axes == 1:
        result[..., here] = old[..., there]
    else:
        result[..., here[:, None], here] = old[..., there[:, None], there]
    return np.ascontiguousarray(np.moveaxis(result, -1, 0)) if name == EMBEDDING else result


def tied(table: Float[np.ndarray, "..."], config: TrunkConfig) -> Float[np.ndarray, "..."]:
    """A table as the scores see it: the mean with that of the other strand, where the strands are tied."""
    if not config.tie_strands or not config.bias.is_by_id:
        return table
    order = np.array(config.tie_strands)
    mirror = table[..., order[:, None], order] if config.bias.is_square else table[..., order]
    if config.bias.is_ordered:
        mirror = np.swapaxes(mirror, -1, -2)
    mean: np.ndarray = (table + mirror) * np.float32(0.5)
    return mean
