"""From the files of another project to an `ImportedTracks` with their weights, every one of them accounted for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tinygrad.nn.state import get_state_dict

from gattn_tg.errors import ConfigError, FormatError
from gattn_tg.models.imported.families import licence_of
from gattn_tg.models.imported.folder import CONFIG, Folder
from gattn_tg.models.imported.found import Found
from gattn_tg.models.imported.tracks.config import ImportedTracksConfig
from gattn_tg.models.imported.tracks.functions import PUBLISHED_TOKENS
from gattn_tg.models.imported.tracks.names import COUNTED, ENDS, OF_NORM, QKV, TracksFamily, canonical
from gattn_tg.models.imported.tracks.network import ImportedTracks
from gattn_tg.models.imported.tracks.targets import head_of
from gattn_tg.models.readouts.tracks import TrackReadout
from gattn_tg.nn.initial import outline
from gattn_tg.ops.host import tensor_of

PUBLISHED_HEADS = {"human": 5313, "mouse": 1643}  # of the Enformer whose config.json is older than the key use_tf_gamma
EPS = {"enformer": 1e-5, "borzoi": 1e-3}  # of all norms
UNCROPPED = 16_384 - 32  # bins that Borzoi gives where config.json asks for all


@dataclass(frozen=True, kw_only=True)
class ImportedTracksFound(Found):
    """A model of tracks of another project."""

    model: ImportedTracks
    readout: TrackReadout

    @property
    def facts(self) -> dict[str, Any]:
        """Sizes, heads with their numbers of tracks, bases of a window and of a bin."""
        c = self.model.config
        return {**super().facts, "heads": dict(c.heads), "window_bp": self.readout.heads[0].window_bp,
                "bin_bp": c.bin_bp, "functions": c.functions}  # fmt: skip

    @property
    def said(self) -> str:
        """The same for people."""
        c, head = self.model.config, self.readout.heads[0]
        told = ", ".join(f"{count:,} {name}" for name, count in c.heads)
        inner = head.window_bp - 2 * c.crop_bp
        of = "rotary positions" if c.functions == "none" else f"{c.functions} functions of distance"
        return (f"{super().said}, {of}; tracks: {told}; windows of {head.window_bp:,} bases, of which the inner "
                f"{inner:,} get values in bins of {c.bin_bp}")


def imported_tracks(folder: Folder, family: TracksFamily, window_bp: int | None = None) -> ImportedTracksFound:
    """Read a model of tracks; no PyTorch is needed, and no code of the folder is run.

    Batch norms become a factor and a shift per channel, with the statistics of the file.

    Args:
        folder: config.json and weights; the names of tracks where it has the authors' table, see `targets.head_of`.
        family: the form of the model.
        window_bp: bases of a window; None takes those of the published models, as no file says it.

    Raises:
        FormatError: a weight is missing, left over, or of another shape; a table of targets that does not fit.
        ConfigError: a choice in config.json that is not computed here, or a window that does not fit.
    """
    weights = _canonical(folder, family)
    heads = family.heads_in(weights)
    if not heads:
        raise FormatError(f"{folder.path}: expected a weight {family.heads.format('human') + '.weight'!r} of a head, "
                          "got none; restore the file")
    config, window = _config(folder, family, weights, heads, window_bp)
    readout = TrackReadout(heads=tuple(
        head_of(folder.path, name, count, window, is_first=i == 0) for i, (name, count) in enumerate(heads)))
    try:
        readout.check(config)
    except ConfigError as error:
        raise ConfigError(f"{folder.path}: {error}; give another window") from error
    model = _filled(config, family, weights, folder.path)
    licence = licence_of(folder.config, folder.readme)
    name = "Flashzoi" if config.functions == "none" else family.name
    extra = {"origin": folder.path.resolve().name, "family": name, "licence": licence}
    return ImportedTracksFound(model=model, readout=readout, family=name, licence=licence, unused=(), extra=extra)


def _canonical(folder: Folder, family: TracksFamily) -> dict[str, np.ndarray]:
    """Weights by one name each; those that a file has twice must be equal."""
    found: dict[str, np.ndarray] = {}
    of: dict[str, str] = {}
    for name, x in folder.weights.items():
        key = canonical(name, family)
        if key.endswith(COUNTED):
            continue
        if key in found and not np.array_equal(found[key], x):
            raise FormatError(f"{folder.path}: expected equal values in {of[key]!r} and {name!r}, which are one "
                              "weight, got different ones; restore the file")
        found[key], of[key] = x, name
    return found


def _config(
    folder: Folder, family: TracksFamily, weights: dict[str, np.ndarray], heads: tuple[tuple[str, int], ...],
    window_bp: int | None,
) -> tuple[ImportedTracksConfig, int]:
    """The configuration, from config.json and the shapes of weights; and the bases of a window."""
    c, where = folder.config, f"{folder.path / CONFIG}"
    if c.get("use_convnext", False) is not False:
        raise ConfigError(f"{where}: expected use_convnext to be false, got {str(c['use_convnext'])[:80]!r}, which is "
                          "not computed here")
    is_borzoi, is_flash = family.form == "borzoi", f"{QKV.format(0)}.weight" in weights

    def whole(key: str) -> int:
        if type(c.get(key)) is not int:
            raise ConfigError(f"{where}: expected a whole number for {key}, got {str(c.get(key))[:80]!r}; restore the "
                              "file")
        return int(c[key])

    def shape(name: str, axes: int) -> tuple[int, ...]:
        x = weights.get(f"{name}.weight")
        if x is None or x.ndim != axes:
            raise FormatError(f"{folder.path}: expected a weight {name + '.weight'!r} of {axes} axes, got "
                              f"{'none' if x is None else f'shape {x.shape}'}; restore the file")
        return x.shape

    n_heads, width = whole("heads"), whole("dim")
    if n_heads < 1 or width < 1:
        raise ConfigError(f"{where}: expected heads and dim from 1 up, got {n_heads} and {width}; restore the file")
    stem = shape(family.others["tower.stem"], 3)
    n_stages = whole("num_downsamples") - 1 if not is_borzoi else _n_stages(weights) + 1
    if not 1 <= n_stages <= 20:
        raise ConfigError(f"{where}: expected num_downsamples from 2 to 21, got {n_stages + 1}; restore the file")
    end = family.stages[".convolution" if is_borzoi else ".widen.convolution"]
    stages = [shape(family.stage_there(i, n_stages) + end, 3) for i in range(n_stages)]
    token_bp = 2 ** (n_stages + 1)
    bin_bp = token_bp // 4 if is_borzoi else token_bp
    window = family.tokens * token_bp if window_bp is None else window_bp
    if window < 1 or window % token_bp:
        raise ConfigError(f"{folder.path}: expected a window of a multiple of {token_bp} bases, got {window}")
    rel = shape("transformer.0.0.fn.1.to_rel_k", 2)[1] if not is_flash and whole("depth") > 0 else 24
    functions, n_tokens = _functions(c, family, heads, is_flash, window // token_bp)
    key_width = width // n_heads if is_flash else whole("attn_dim_key")
    value_width = whole("attn_dim_value") if is_borzoi and not is_flash else width // n_heads
    fields = {
        "heads": [list(head) for head in heads], "form": family.form, "width": width, "n_layers": whole("depth"),
        "n_heads": n_heads, "n_kv_heads": n_heads // 2 if is_flash else 0, "mlp_ratio": 2,
        "stem_width": stem[0], "stem_kernel": stem[2], "stage_widths": [s[0] for s in stages],
        "tower_kernel": stages[0][2], "key_width": key_width, "value_width": value_width, "functions": functions,
        "n_functions": rel, "n_tokens": n_tokens, "crop_bp": _crop(folder, family, window // bin_bp) * bin_bp,
        "last_width": shape(family.others["last.convolution"], 3)[0], "eps": EPS[family.form],
    }  # fmt: skip
    try:
        return ImportedTracksConfig.from_dict(fields), window
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _n_stages(weights: dict[str, np.ndarray]) -> int:
    """Convolutions in the tower of Borzoi, whose config.json does not say it."""
    return sum(name.startswith("res_tower.") and name.endswith(".conv_layer.weight") for name in weights)


def _functions(
    config: dict[str, Any], family: TracksFamily, heads: tuple[tuple[str, int], ...], is_flash: bool, tokens: int
) -> tuple[str, int]:
    """Which functions of distance, and the tokens that they are made for."""
    if is_flash:
        return "none", tokens
    if family.form == "borzoi":
        return "borzoi", max(family.tokens, tokens)  # the functions are the same for any number
    is_published = config.get("use_tf_gamma", dict(heads) == PUBLISHED_HEADS)
    return ("published", PUBLISHED_TOKENS) if is_published else ("enformer", tokens)


def _crop(folder: Folder, family: TracksFamily, n_bins: int) -> int:
    """Bins at both ends that the original takes off."""
    c = folder.config
    key = "target_length" if family.form == "enformer" else "bins_to_return"
    kept = c.get(key, -1)
    if family.form == "borzoi" and not c.get("return_center_bins_only", True):
        kept = UNCROPPED
    if kept == -1:
        return 0
    if type(kept) is not int or not 0 < kept <= n_bins or (n_bins - kept) % 2:
        raise ConfigError(f"{folder.path / CONFIG}: expected {key} of at most the {n_bins} bins of a window, that "
                          f"leaves as many at both ends, got {str(kept)[:80]}; give the bases of its window")
    return (n_bins - kept) // 2


def _filled(
    config: ImportedTracksConfig, family: TracksFamily, weights: dict[str, np.ndarray], path: Path
) -> ImportedTracks:
    """The model with the weights.

    Raises:
        FormatError: a weight is missing, has another shape, or no place.
    """
    with outline():
        model = ImportedTracks(config)
    is_flash = config.functions == "none"
    heads = tuple(name for name, _ in config.heads)
    modules = family.modules(len(config.stage_widths), config.n_layers, heads, is_flash)
    left = set(weights)

    def taken(name: str, shape: tuple[int, ...]) -> np.ndarray:
        if name not in weights:
            raise FormatError(f"{path}: expected a weight {name!r} of shape {shape}, got none; restore the file")
        if (x := weights[name]).shape != shape:
            raise FormatError(f"{path}: expected {name!r} of shape {shape}, got {x.shape}; weights and {CONFIG} are of "
                              "different models")
        left.discard(name)
        return x

    parameters = get_state_dict(model)
    arrays: dict[str, np.ndarray] = {}
    for name, tensor in parameters.items():
        (module, _, end), shape = name.rpartition("."), tuple(tensor.shape)
        there = modules[module]
        if module.endswith(".norm"):
            norm = {x: taken(f"{there}.{x}", shape).astype(np.float64) for x in OF_NORM}
            arrays[name] = _affine(norm, config.eps)[end]
        elif is_flash and module.endswith(("q_proj", "k_proj", "v_proj")):
            sizes = [parameters[f"{module[:-6]}{x}_proj.{end}"].shape[0] for x in "qkv"]
            rows = np.cumsum([0, *sizes])["qkv".index(module[-6]):][:2]
            arrays[name] = taken(f"{there}.{end}", (sum(sizes), *shape[1:]))[rows[0] : rows[1]]
        else:
            arrays[name] = taken(f"{there}.{ENDS.get(end, end)}", family.shape_there(module, end, shape)).reshape(shape)
    if left:
        odd = min(left)
        raise FormatError(f"{path}: expected weights of {family.name} with {config.n_layers} layers, got also "
                          f"{odd[:80]!r} of shape {weights[odd].shape}, which has no place there")
    for name, tensor in parameters.items():
        tensor.replace(tensor_of(arrays[name].astype(np.float32), tensor.device))
    return model


def _affine(norm: dict[str, np.ndarray], eps: float) -> dict[str, np.ndarray]:
    """Factor and shift of a batch norm with its statistics."""
    scale = norm["weight"] / np.sqrt(norm["running_var"] + eps)
    return {"weight": scale, "bias": norm["bias"] - norm["running_mean"] * scale}
