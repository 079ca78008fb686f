"""From the checkpoint of an imported encoder to a folder that another project loads."""

from __future__ import annotations

from pathlib import Path

from gattn_tg.errors import UnsupportedError
from gattn_tg.io.whole import new_folder
from gattn_tg.models import checkpoint
from gattn_tg.models.imported.folder import CONFIG
from gattn_tg.models.imported.trunk import ImportedTrunk
from gattn_tg.models.imported.writing import FILES, Written, written
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
