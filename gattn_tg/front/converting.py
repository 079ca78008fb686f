"""From a checkpoint to files that other projects load, or that run without Python: a page, a library, a module."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tinygrad.helpers import Context

from gattn_tg.errors import UnsupportedError
from gattn_tg.export.program import wgsl_of
from gattn_tg.export.targets import BESIDE, captured_for, check_target, files_of
from gattn_tg.io.replacing import replacing_path, require_new
from gattn_tg.io.whole import new_folder
from gattn_tg.models import checkpoint
from gattn_tg.models.imported.folder import CONFIG
from gattn_tg.models.imported.trunk import ImportedTrunk
from gattn_tg.models.imported.writing import FILES, Written, written
from gattn_tg.models.readouts.readout import Readout
from gattn_tg.models.readouts.sequences import SequenceReadout
from gattn_tg.score.splice import DINUCLEOTIDES, GENOMIC_SHARE, LABELS, TRAINED_SHARE
from gattn_tg.training.keep.folder import weights_of


def convert_model(path: str | Path, output: str | Path, *, overwrite: bool = False) -> Written:
    """Write an encoder that was imported, or learnt on from an import, in the form of transformers.

    Args:
        path: a checkpoint, or the folder of a run.
        output: the folder to make: `AutoModel.from_pretrained(output)` loads it.
        overwrite: replace a folder of such files that is there.

    Returns:
        The files, and which parameters of the model have no place in them.

    Raises:
        FormatError: no checkpoint there, or a damaged one.
        UnsupportedError: a model of another kind, or one that computes what no class of transformers does.
        GattnError: something is at `output`.
    """
    loaded = checkpoint.load(weights_of(Path(path)), "CPU")
    if not isinstance(loaded.model, ImportedTrunk):
        raise UnsupportedError(f"{path}: expected an encoder that was imported, or learnt on from one, got a "
                               f"{loaded.kind.name}, for which transformers has no class; keep it as it is")
    found = written(loaded.model, loaded.extra)
    with new_folder(Path(output), CONFIG, FILES, overwrite=overwrite) as folder:
        for name, content in found.files.items():
            (folder / name).write_bytes(content)
    return found


def export_model(
    path: str | Path, output: str | Path, *, half: bool = False, gpu: bool = False, head: str | None = None,
    overwrite: bool = False,
) -> list[Path]:  # fmt: skip
    """Write a trained model as what its name ends in.

    Args:
        path: a checkpoint, or the folder of a run.
        output: NAME.html, a page for any browser; NAME.js, a module with NAME.d.ts; NAME.wasm; NAME.c, NAME.so
            for this machine or NAME.dylib for Macs, with NAME.h and, of large models, NAME.weights.
        half: pages and modules: large weights as float16, which halves the file.
        gpu: pages: kernels for WebGPU beside those for the processor; whoever opens the page chooses.
        head: of a model of tracks; None takes all of them.
        overwrite: replace files that are there.

    Returns:
        The files.

    Raises:
        ConfigError: another ending, no such head, or several heads that see windows of other sizes.
        UnsupportedError: a model that cannot be exported, with the reason.
        FormatError: no checkpoint there, or a damaged one.
        MissingExtraError: ziglang, which compiles, is not installed.
        GattnError: a file is there already.
    """
    output = Path(output)
    check_target(output, half=half, gpu=gpu)
    for wanted in (output, *(output.with_suffix(ending) for ending in BESIDE[output.suffix])):
        require_new(wanted, overwrite=overwrite)
    folder = weights_of(Path(path))
    with Context(DEV="CPU"):
        loaded = checkpoint.load(folder, "CPU")
        program = captured_for(loaded, output, head)
    if gpu:
        program = replace(program, wgsl=wgsl_of(folder, head))
    files = files_of(program, output, half=half, extra=splice_sites(loaded.readout))
    made = [output.with_name(name) for name in files]
    for place, content in zip(made, files.values(), strict=True):
        with replacing_path(place, overwrite=overwrite) as temporary:
            temporary.write_bytes(content)
    return made


def splice_sites(readout: Readout | None) -> dict[str, object]:
    """Where a page looks for junctions, of models whose classes are those of splice windows; else nothing."""
    if not isinstance(readout, SequenceReadout) or not set(LABELS.values()) <= set(readout.labels):
        return {}
    kinds = [[kind, pair.decode(), ahead, readout.labels.index(LABELS[kind])]
             for kind, (pair, ahead) in DINUCLEOTIDES.items()]  # fmt: skip
    return {"sites": kinds, "prior": [TRAINED_SHARE, GENOMIC_SHARE]}
