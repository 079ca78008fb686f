"""From a folder of another project to a checkpoint that `load` reads."""

from __future__ import annotations

from pathlib import Path

from gattn_tg.errors import ConfigError
from gattn_tg.models import checkpoint
from gattn_tg.models.imported.folder import read_folder
from gattn_tg.models.imported.found import Found
from gattn_tg.models.imported.reading import encoder_of
from gattn_tg.models.imported.tracks.names import tracks_family_of
from gattn_tg.models.imported.tracks.reading import imported_tracks
from gattn_tg.motif import MotifVocabulary


def import_model(
    folder: str | Path, output: str | Path, *, window_bp: int | None = None, overwrite: bool = False
) -> Found:
    """Write a model of another project as a checkpoint.

    Args:
        folder: config.json, of an encoder vocab.txt (or tokenizer.json), and weights as model.safetensors or
            pytorch_model.bin, whole or in parts, as their authors publish them.
        output: the checkpoint.
        window_bp: of models of tracks: bases that it sees at once; None takes those of the published models (196,608
            for Enformer, 524,288 for Borzoi), as no file says it.
        overwrite: replace a checkpoint that is there.

    Returns:
        The model, its form, and what is known of its licence, which goes on in everything that is made of it.

    Raises:
        FormatError: a file is missing or damaged; a weight is missing, left over or of another shape.
        ConfigError: the model asks for what is not computed here, the window does not fit it, or something is at
            `output`.
    """
    output = Path(output)
    if output.exists() and not overwrite:
        raise ConfigError(f"{output}: expected a new folder, got one that exists; choose another, or overwrite it")
    files = read_folder(Path(folder))
    family = tracks_family_of(files.weights)
    if family is None and window_bp is not None:
        raise ConfigError(f"{folder}: expected no window for a model that is none of tracks, got {window_bp}; leave it "
                          "out")
    found: Found = encoder_of(files) if family is None else imported_tracks(files, family, window_bp)
    checkpoint.save(found.model, output, readout=found.readout, vocabulary=MotifVocabulary.default(), extra=found.extra)
    return found
