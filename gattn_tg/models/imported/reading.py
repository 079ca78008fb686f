"""From the files of another project to an `ImportedEncoder` with their weights, every one of them accounted for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tinygrad.nn.state import get_state_dict

from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.models.imported.config import LONGEST, SPECIAL, ImportedConfig, words_of_bases
from gattn_tg.models.imported.encoder import ImportedEncoder
from gattn_tg.models.imported.families import FAMILIES, OF_WORDS, OLD_ENDS, UP, Family, family_of, licence_of
from gattn_tg.models.imported.folder import CONFIG, Folder, read_folder
from gattn_tg.models.imported.found import Found
from gattn_tg.models.imported.tracks.names import FAMILIES as TRACKS_FAMILIES
from gattn_tg.models.readouts.bases import MaskedReadout
from gattn_tg.nn.initial import outline
from gattn_tg.ops.host import tensor_of

WINDOW_BP = 512  # of scores of variants, where the encoder reads so many


@dataclass(frozen=True, kw_only=True)
class Imported(Found):
    """An encoder of another project.

    Args:
        row_names: the token of each row of the tables of words, "" where it has none; `extra` has them as `tokens` in
            the order of the file.
    """

    why_unused = "they fill in no words"
    model: ImportedEncoder
    readout: MaskedReadout
    row_names: tuple[str, ...]

    @property
    def said(self) -> str:
        """Sizes, words and reach for people."""
        c = self.model.config
        reach = "any length" if c.longest_bp is None else f"at most {c.longest_bp:,} bases"
        return f"{super().said}, {c.words} words of {c.word_bp} bases, {reach}"


def imported(path: Path) -> Imported:
    """The encoder of a folder with config.json, a vocabulary, and weights as safetensors or pytorch_model.bin, whole or
    in parts; see `encoder_of`."""
    return encoder_of(read_folder(path))


def encoder_of(folder: Folder) -> Imported:
    """Read an encoder of another project; no PyTorch is needed, and no code of the folder is run.

    Args:
        folder: its files.

    Raises:
        FormatError: a file is missing or damaged; a weight is missing, left over, or of another shape.
        ConfigError: a choice in config.json that is not computed here.
    """
    path, family = folder.path, family_of(folder.weights)
    if family is None:
        known = ", ".join(f.name for f in (*FAMILIES, *TRACKS_FAMILIES))
        raise FormatError(f"{path}: expected weights of one of {known}, got others; this form is not read")
    _require_form(folder, family)
    renamed, unused = _renamed(folder, family)
    arrays = {name: x for name, (x, _) in renamed.items()}
    theirs = {name: there for name, (_, there) in renamed.items()}
    arrays.setdefault("to_words.weight", arrays["words.weight"])  # a head that is tied to the table
    if _places(folder, family) != "learned":
        arrays.pop("positions.weight", None)  # made by the class of transformers, and never used by it
    words, order = _order(folder, len(arrays["words.weight"]))
    config = _config(folder, family, arrays, {**words, "n_extra": _n_extra(words, len(order))})
    model = _filled(config, arrays, theirs, family, order, path)
    longest = config.longest_bp
    licence = licence_of(folder.config, folder.readme)
    tokens = {row: token for token, row in folder.vocabulary.items()}
    extra = {"origin": path.resolve().name, "family": family.name, "licence": licence,
             "tokens": [tokens.get(row, "") for row in range(len(order))]}  # fmt: skip
    readout = MaskedReadout(width=min(longest or WINDOW_BP, WINDOW_BP))
    names = tuple(tokens.get(int(row), "") for row in order)
    return Imported(model=model, readout=readout, family=family.name, licence=licence, unused=unused, extra=extra,
                    row_names=names)  # fmt: skip


def _require_form(folder: Folder, family: Family) -> None:
    """Refuses what config.json asks for and is not computed here."""
    where = f"{folder.path / CONFIG}"
    known = {"hidden_act": ("gelu",), "is_decoder": (False,), "add_cross_attention": (False,),
             "position_embedding_type": tuple(dict(family.places))}
    for key, values in known.items():
        if folder.config.get(key, values[0]) not in values:
            raise ConfigError(f"{where}: expected {key} to be {' or '.join(map(repr, values))}, got "
                              f"{str(folder.config[key])[:80]!r}, which is not computed here")
    whole = ("num_hidden_layers", "num_attention_heads", *(("pad_token_id",) if family.counts_padding else ()))
    for key in whole:
        if type(folder.config.get(key)) is not int or folder.config[key] < 0:
            raise ConfigError(f"{where}: expected a whole number for {key}, got {str(folder.config.get(key))[:80]!r}; "
                              "restore the file")


def _places(folder: Folder, family: Family) -> str:
    """`positions` of the configuration."""
    return dict(family.places)[folder.config.get("position_embedding_type", "absolute")]


def _renamed(folder: Folder, family: Family) -> tuple[dict[str, tuple[np.ndarray, str]], tuple[str, ...]]:
    """Weights by the names they have here, each with its name in the file; and what is left out.

    Raises:
        FormatError: a weight that has no place, or two that should be equal and are not.
    """
    down = f"{family.prefix}encoder.layer.0.output.dense.weight"
    up = f"{family.prefix}{UP.format(0)}.weight"
    has_shapes = down in folder.weights and up in folder.weights
    is_gated = has_shapes and folder.weights[up].shape[0] == 2 * folder.weights[down].shape[-1]
    names = family.of_layers(folder.config["num_hidden_layers"], is_gated)
    found: dict[str, tuple[np.ndarray, str]] = {}
    unused = []
    for name, x in folder.weights.items():
        short = name.removeprefix(family.prefix)
        module, _, end = short.rpartition(".")
        if short.startswith(family.unused) or "rotary_embeddings.inv_freq" in short:
            unused.append(name)
            continue
        if module not in names:
            raise FormatError(f"{folder.path}: expected weights of a {family.name} of "
                              f"{folder.config['num_hidden_layers']} layers, got also {name[:80]!r} of shape "
                              f"{x.shape}, which has no place there")
        ours = names[module]
        if x.ndim < 1 or x.shape[0] % len(ours):
            raise FormatError(f"{folder.path}: expected rows of {len(ours)} equal parts in {name!r}, got shape "
                              f"{x.shape}; restore the file")
        for part, piece in zip(ours, np.split(x, len(ours)), strict=True):
            here = f"{part}.{OLD_ENDS.get(end, end)}"
            if here in found and not np.array_equal(found[here][0], piece):
                raise FormatError(f"{folder.path}: expected equal values in {found[here][1]!r} and {name!r}, which are "
                                  "one weight, got different ones; restore the file")
            found[here] = piece, name
    if "words.weight" not in found:
        raise FormatError(f"{folder.path}: expected a weight "
                          f"'{family.prefix}embeddings.word_embeddings.weight', got none; restore the file")
    return found, tuple(unused)


def _order(folder: Folder, n_rows: int) -> tuple[dict[str, Any], np.ndarray]:
    """The fields of the configuration about words, and the rows of the file in the order that rows have here.

    Raises:
        FormatError: a word is missing in the vocabulary.
    """
    vocabulary, where = folder.vocabulary, folder.path
    if folder.merges is not None:
        if missing := [word for word in SPECIAL["pairs"] if word not in vocabulary]:
            raise FormatError(f"{where}: expected a vocabulary with {', '.join(SPECIAL['pairs'])}, got one without "
                              f"{missing[0]!r}; other tokenizers are not read")
        pieces = sorted(set(vocabulary) - set(SPECIAL["pairs"]), key=vocabulary.__getitem__)
        rows = _rows(where, vocabulary, [*pieces, *SPECIAL["pairs"]], n_rows)
        return {"words": "pairs", "pieces": tuple(pieces), "merges": folder.merges}, rows
    k = max((len(token) for token in vocabulary if re.fullmatch("[ACGT]+", token)), default=0)
    kind = "blocks" if k > 1 and set("ACGT") <= set(vocabulary) else "overlapping"
    wanted = [*words_of_bases(k), *SPECIAL[kind]] if 0 < k <= LONGEST else []
    missing = [word for word in wanted if word not in vocabulary]
    if missing or not wanted:
        lacks = repr(missing[0]) if missing else f"longest of {k} bases"
        raise FormatError(f"{where}: expected a vocabulary of all words of k bases (1 to {LONGEST}) and of "
                          f"{', '.join(SPECIAL[kind])}, got one without {lacks}; other tokenizers are not read")
    return {"words": kind, "word_bp": k}, _rows(where, vocabulary, wanted, n_rows)


def _rows(where: Path, vocabulary: dict[str, int], wanted: list[str], n_rows: int) -> np.ndarray:
    """The rows of these words, then all others."""
    first = [vocabulary[word] for word in wanted]
    if max(vocabulary.values()) >= n_rows or len(set(first)) < len(first):
        raise FormatError(f"{where}: expected a vocabulary with a row of its own for each word, of the {n_rows} rows "
                          f"of the table of words, got row {max(vocabulary.values())}; they are of different models")
    return np.array(first + sorted(set(range(n_rows)) - set(first)))


def _n_extra(words: dict[str, Any], n_rows: int) -> int:
    """Rows of the table beside those of words and special words."""
    n_regular = len(words["pieces"]) if words["words"] == "pairs" else 4 ** words["word_bp"]
    return int(n_rows - n_regular - len(SPECIAL[words["words"]]))


def _config(
    folder: Folder, family: Family, arrays: dict[str, np.ndarray], words: dict[str, Any]
) -> ImportedConfig:
    """The configuration, from config.json and from which weights there are."""
    c, first = folder.config, arrays.get("blocks.0.down.weight")
    if first is None or first.ndim != 2:
        theirs = next(name for name, ours in family.names.items() if ours == "blocks.{}.down").format(0)
        raise FormatError(f"{folder.path}: expected a weight '{family.prefix}{theirs}.weight' of two axes, got none; "
                          "restore the file")
    positions = arrays.get("positions.weight")
    fields = {
        **words, "width": int(first.shape[0]),
        "n_layers": c["num_hidden_layers"], "n_heads": c["num_attention_heads"], "mlp_width": int(first.shape[1]),
        "positions": _places(folder, family),
        "n_positions": 512 if positions is None else len(positions),
        "first_position": c["pad_token_id"] + 1 if family.counts_padding and positions is not None else 0,
        "n_types": len(arrays["types.weight"]) if "types.weight" in arrays else 0, "post_norm": family.post_norm,
        "gate": family.gate if "blocks.0.gate.weight" in arrays else "none", "up_bias": "blocks.0.up.bias" in arrays,
        "down_bias": "blocks.0.down.bias" in arrays, "eps": c.get("layer_norm_eps", 1e-12),
        "embed_norm": "embed_norm.weight" in arrays, "last_norm": "last_norm.weight" in arrays,
        "rope_theta": c.get("rope_theta", 10_000.0), "token_dropout": bool(c.get("token_dropout", False)),
    }
    try:
        return ImportedConfig.from_dict(fields)
    except ConfigError as error:
        raise ConfigError(f"{folder.path / CONFIG}: {error}") from error


def _filled(
    config: ImportedConfig, arrays: dict[str, np.ndarray], theirs: dict[str, str], family: Family, order: np.ndarray,
    path: Path,
) -> ImportedEncoder:
    """The model with the weights; rows of words in the order that they have here.

    Raises:
        FormatError: a weight is missing, or has another shape.
    """
    with outline():
        model = ImportedEncoder(config)
    wanted = get_state_dict(model)
    calls = {f"{part}.{end}": f"{family.in_file(name)}.{end}"
             for name, parts in family.of_layers(config.n_layers, config.gate != "none").items() for part in parts
             for end in ("weight", "bias")}  # fmt: skip
    for name, tensor in wanted.items():
        if name not in arrays:
            raise FormatError(f"{path}: expected a weight {calls.get(name, name)!r} of shape {tuple(tensor.shape)}, "
                              "got none; restore the file")
        x = arrays[name]
        if x.shape != tuple(tensor.shape):
            raise FormatError(f"{path}: expected {theirs.get(name, name)!r} of shape {tuple(tensor.shape)}, got "
                              f"{x.shape}; weights and {CONFIG} are of different models")
    if odd := sorted(set(arrays) - set(wanted)):
        raise FormatError(f"{path}: expected no weight {theirs[odd[0]]!r}, got one of shape {arrays[odd[0]].shape}, "
                          "which has no place in this model")
    for name, tensor in wanted.items():
        x = arrays[name][order] if name in OF_WORDS else arrays[name]
        tensor.replace(tensor_of(x, tensor.device))
    return model
