"""From a folder to a trained model."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import get_args

from tinygrad.helpers import DEV, Context
from tinygrad.nn.state import get_state_dict

from gattn_tg.errors import ConfigError
from gattn_tg.front.answers import TrainedLabels, TrainedValues
from gattn_tg.front.classes import TrainedClassifier
from gattn_tg.front.genome import TrainedAlong
from gattn_tg.front.language import TrainedEncoder, TrainedGPT
from gattn_tg.front.sites import TrainedSites
from gattn_tg.front.trained import Trained
from gattn_tg.machine import devices, toolchain
from gattn_tg.models import checkpoint
from gattn_tg.models.readouts.bases import MaskedReadout, NextBaseReadout, SiteReadout
from gattn_tg.models.readouts.readout import Readout
from gattn_tg.models.readouts.sequences import ClassReadout, LabelReadout, ValueReadout
from gattn_tg.models.readouts.tracks import TrackReadout
from gattn_tg.models.sites.readout import SparseReadout
from gattn_tg.training.keep.folder import weights_of
from gattn_tg.training.loop.parameters import narrow
from gattn_tg.training.settings import Precision

TRAINED: dict[type[Readout], type[Trained]] = {
    ClassReadout: TrainedClassifier,
    LabelReadout: TrainedLabels,
    ValueReadout: TrainedValues,
    TrackReadout: TrainedAlong,
    SiteReadout: TrainedAlong,
    SparseReadout: TrainedSites,
    NextBaseReadout: TrainedGPT,
    MaskedReadout: TrainedEncoder,
}


def load(path: str | Path, device: str | None = None, precision: Precision = "float32") -> Trained:
    """A trained model of any kind.

    Args:
        path: the folder of a run, its `best/`, or any other folder with a checkpoint.
        device: CPU, CUDA, METAL, AMD, CL ...; None takes what DEV says, else the first GPU that works, else the CPU.
        precision: "float32", or "bfloat16": weight matrices and look-up tables are rounded to it, and layers compute in
            it with float32 sums, as training with this precision does. Answers differ in the third digit.

    Returns:
        A `Trained` of its kind, with `predict`, `along`, `embed`, `motif_attention`, `motif_table`, `generate` and
        `evaluate`; those that the kind lacks raise `UnsupportedError` with the reason.

    Raises:
        FormatError: no checkpoint there, or a damaged one.
        UnsupportedError: no such device.
        ConfigError: another precision.

    Example:
        >>> import gattn_tg
        >>> model = gattn_tg.load("runs/tf")                   # doctest: +SKIP
        >>> model.predict(["ACGTTGCA", "TTGACATA"]).predicted  # doctest: +SKIP
        ('no', 'yes')
    """
    if precision not in get_args(Precision):
        known = ", ".join(get_args(Precision))
        raise ConfigError(f"load precision: expected one of {known}, got {precision!r}; leave it out for float32")
    folder = weights_of(Path(path))
    chosen = device_of(device)
    with nullcontext() if chosen is None else Context(DEV=chosen):
        loaded = checkpoint.load(folder)
        if precision == "bfloat16":
            narrow(get_state_dict(loaded.model))
    return TRAINED[loaded.answers](loaded, folder, chosen)


def device_of(wish: str | None) -> str | None:
    """The device to run on by the rule of the command line: the wish, else DEV, else a working GPU, else the CPU.

    None where DEV, of the environment or of a tinygrad `Context`, has said it: then tinygrad's default is that one.

    Raises:
        UnsupportedError: no such device.
        MissingExtraError: the CPU is to be used and there is no compiler.
    """
    if wish is None and repr(DEV.value[0]):
        return None
    chosen = devices.choose(wish)
    if devices.kind_of(chosen) == "CPU":
        toolchain.require()
    return chosen
