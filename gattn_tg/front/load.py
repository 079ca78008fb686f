"""From a folder to a trained model."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from tinygrad.helpers import Context

from gattn_tg.errors import FormatError
from gattn_tg.front.classes import TrainedClassifier
from gattn_tg.front.genome import TrainedAlong
from gattn_tg.front.language import TrainedEncoder, TrainedGPT
from gattn_tg.front.trained import Trained
from gattn_tg.machine import devices, toolchain
from gattn_tg.models import checkpoint
from gattn_tg.models.readouts import (
    ClassReadout,
    MaskedReadout,
    NextBaseReadout,
    Readout,
    SiteReadout,
    TrackReadout,
)

TRAINED: dict[type[Readout], type[Trained]] = {
    ClassReadout: TrainedClassifier,
    TrackReadout: TrainedAlong,
    SiteReadout: TrainedAlong,
    NextBaseReadout: TrainedGPT,
    MaskedReadout: TrainedEncoder,
}


def load(path: str | Path, device: str | None = None) -> Trained:
    """A trained model of any kind.

    Args:
        path: the folder of a run, its `best/`, or any other folder with a checkpoint.
        device: CPU, CUDA, METAL, AMD, CL ...; None is tinygrad's default.

    Returns:
        A `Trained` of its kind, with `predict`, `along`, `embed`, `motif_attention`, `motif_table`, `generate` and
        `evaluate`; those that the kind lacks raise `UnsupportedError` with the reason.

    Raises:
        FormatError: no checkpoint there, or a damaged one.
        UnsupportedError: no such device.

    Example:
        >>> import gattn_tg
        >>> model = gattn_tg.load("runs/tf")                   # doctest: +SKIP
        >>> model.predict(["ACGTTGCA", "TTGACATA"]).predicted  # doctest: +SKIP
        ('no', 'yes')
    """
    folder = folder_of(Path(path))
    chosen = None if device is None else devices.choose(device)
    if chosen is not None and chosen.split("+")[-1].split(":")[0] == "CPU":
        toolchain.require()
    with nullcontext() if chosen is None else Context(DEV=chosen):
        loaded = checkpoint.load(folder)
    return TRAINED[loaded.kind.readout](loaded, folder, chosen)


def folder_of(path: Path) -> Path:
    """The folder of the checkpoint: itself, or `best/` of a run.

    Raises:
        FormatError: a run that has no best weights yet.
    """
    if (path / checkpoint.CONFIG).exists() or not (path / "run.json").exists():
        return path
    if not (path / "best").exists():
        raise FormatError(f"{path}: expected a run with best/, got one without; it has not been validated yet: name a "
                          "folder in its checkpoints/, or resume its training")
    return path / "best"
