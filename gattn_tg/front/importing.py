"""From a folder of another project to a checkpoint that `load` reads."""

from __future__ import annotations

from pathlib import Path

from gattn_tg.errors import ConfigError
from gattn_tg.models import checkpoint
from gattn_tg.models.imported.reading import Imported, imported
from gattn_tg.motif import MotifVocabulary


def import_model(folder: str | Path, output: str | Path, *, overwrite: bool = False) -> Imported:
    """Write a model of another project as a checkpoint.

    Args:
        folder: config.json, vocab.txt (or tokenizer.json), and weights as model.safetensors or pytorch_model.bin, whole
            or in parts, as their authors publish them.
        output: the checkpoint.
        overwrite: replace a checkpoint that is there.

    Returns:
        The model, its form, and what is known of its licence, which goes on in everything that is made of it.

    Raises:
        FormatError: a file is missing or damaged; a weight is missing, left over or of another shape.
        ConfigError: the model asks for what is not computed here, or something is at `output`.
    """
    output = Path(output)
    if output.exists() and not overwrite:
        raise ConfigError(f"{output}: expected a new folder, got one that exists; choose another, or overwrite it")
    found = imported(Path(folder))
    checkpoint.save(found.model, output, readout=found.readout, vocabulary=MotifVocabulary.default(), extra=found.extra)
    return found
