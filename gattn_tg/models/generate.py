"""New sequences from a causal language model, one base after another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tinygrad import Tensor, TinyJit
from tinygrad.helpers import Context
from tinygrad.nn.state import get_parameters

from gattn_tg.errors import ConfigError, ShapeError
from gattn_tg.machine.recorded import recorded
from gattn_tg.models.captured.finite import finite
from gattn_tg.models.gpt import N_PREDICTED, GenomicGPT
from gattn_tg.models.likelihood import causal_motifs
from gattn_tg.motif import MotifVocabulary
from gattn_tg.motif.follow import Follower
from gattn_tg.nn.anchors import Growing
from gattn_tg.nn.kv_cache import KeyValueCache, angles, decode, projected
from gattn_tg.ops.attention.api import attention
from gattn_tg.ops.host import arrays_of, write
from gattn_tg.seq.alphabet import N
from gattn_tg.types import Float, Int, UInt8

BUCKET = 64  # prompts are padded to a multiple of it, so that few lengths are compiled


class Generator:
    """Calling it with prompts gives what the model writes behind them.

    Prompts are read in one pass. After that every base costs one captured step against a ring of the keys and values
    of the last `context` bases, so its time does not grow with the length. A model with anchors keeps those of all
    bases, because a base that becomes an anchor sees all of them.

    Args:
        model: a causal language model.
        vocabulary: motif classes it was trained with; ids are kept up to date as bases come.
        device: where it runs; None is tinygrad's default.
    """

    def __init__(self, model: GenomicGPT, vocabulary: MotifVocabulary, device: str | None = None) -> None:
        self.model, self.vocabulary, self.device = model, vocabulary, device
        self.recent = max(model.config.words, default=1)  # bases that the input of one token is made of
        self._steps: dict[tuple[int, int], _Step] = {}
        self._readers: dict[tuple[int, ...], TinyJit] = {}

    def __call__(
        self, prompts: Sequence[UInt8[np.ndarray, "p"]], length: int, *, temperature: float = 1.0,
        top_k: int = N_PREDICTED, seed: int = 0,
    ) -> UInt8[np.ndarray, "b n"]:
        """New bases, one row per prompt, without the prompts.

        Args:
            prompts: base ids of each; one without bases starts a sequence.
            length: bases to write.
            temperature: logits are divided by it; 0 always takes the most likely base.
            top_k: only so many of the likeliest bases can come, 1 to 4.
            seed: of the draws; equal seeds give equal bases.

        Raises:
            ConfigError: an option out of its range.
            ShapeError: a prompt that is not one row of base ids.
            DivergedError: a logit is not finite.
        """
        are_whole = all(isinstance(x, int | np.integer) for x in (length, top_k, seed))
        is_warm = isinstance(temperature, int | float) and temperature >= 0  # nan is not: it would take the likeliest
        if not (prompts and are_whole and is_warm and length >= 1 and 1 <= top_k <= N_PREDICTED and seed >= 0):
            raise ConfigError(
                f"generate: expected at least one prompt, length >= 1, temperature >= 0, top_k from 1 to {N_PREDICTED} "
                f"and seed >= 0, got {len(prompts)} prompts, {length}, {temperature}, {top_k} and {seed}; "
                "correct the option"
            )
        for prompt in prompts:
            is_ids = prompt.ndim == 1 and (not prompt.size or prompt.dtype.kind in "iu")
            if not is_ids or (prompt.size and not 0 <= prompt.min() <= prompt.max() <= N):
                raise ShapeError("generate: expected prompts of base ids 0..4, one axis each, got one of shape "
                                 f"{prompt.shape} and {prompt.dtype}; encode the letters")
        rng = np.random.default_rng(seed)
        draws = rng.random((length, len(prompts)))
        with Context(TRAINING=0):
            state = _State(self, prompts, length)
            written = np.empty((len(prompts), length), dtype=np.uint8)
            for i in range(length):
                written[:, i] = chosen(finite(state.logits, "GenomicGPT"), draws[i], temperature, top_k)
                if i + 1 < length:
                    state.push(written[:, i])
        return written

    def reader_of(self, shape: tuple[int, ...]) -> TinyJit:
        """The captured pass over prompts of one shape."""
        if shape not in self._readers:
            self._readers[shape] = TinyJit(self._read)
        return self._readers[shape]

    def _read(self, bases: Tensor, motif_ids: Tensor, cos: Tensor, sin: Tensor) -> list[Tensor]:
        """Logits after every base, then keys and values of every layer."""
        x, held = self.model.embedded(bases, motif_ids), []
        anchors = self.model.anchors(motif_ids)
        for block in self.model.blocks:
            layer = block.attention
            q, k, v = projected(layer, block.attention_norm(x), cos, sin)
            o = attention(q, k, v, bias=layer.bias(motif_ids), is_causal=True, window_size=layer.config.window_size,
                          anchors=anchors)
            x = layer.merged(o, x)
            x = block.mlp(block.mlp_norm(x), x)
            held += [k.contiguous(), v.contiguous()]
        found = [self.model.to_bases(self.model.norm(x)), *held]
        Tensor.realize(*found)
        return found

    def step_of(self, state: _State) -> _Step:
        """The captured step for so many sequences, with their caches in it."""
        shape = len(state.rows), state.size
        if shape not in self._steps:
            self._steps[shape] = _Step(self.model, state.caches, self.device)
        step = self._steps[shape]
        step.take(state.caches)
        return step


def chosen(
    logits: Float[np.ndarray, "b 4"], draws: Float[np.ndarray, "b"], temperature: float, top_k: int
) -> Int[np.ndarray, "b"]:
    """The class of each row that a uniform draw in [0, 1) falls on; the most likely one at temperature 0."""
    order = np.argsort(-logits, axis=1, kind="stable")
    if temperature == 0 or top_k == 1:
        return order[:, 0]
    kept = np.take_along_axis(logits, order[:, :top_k], axis=1).astype(np.float64) / temperature
    p = np.exp(kept - kept[:, :1])
    upto = np.cumsum(p, axis=1) / p.sum(axis=1, keepdims=True)
    at = np.minimum((draws[:, None] >= upto).sum(axis=1), top_k - 1)
    found: np.ndarray = np.take_along_axis(order, at[:, None], axis=1)[:, 0]
    return found


class _State:
    """Where a batch of sequences stands: what the next step reads, on the host, and the logits of the next base."""

    def __init__(self, generator: Generator, prompts: Sequence[np.ndarray], length: int) -> None:
        self.generator, config = generator, generator.model.config
        self.rows = [np.concatenate([np.array([N], np.uint8), prompt]) for prompt in prompts]  # N is the start
        self.size = config.context
        self.anchors = None
        if config.anchors:
            self.size = padded(max(map(len, self.rows)) + length)
            self.anchors = Growing(len(self.rows), self.size, config.n_anchors, config.context - 1,
                                   config.ids_of_anchors, config.wanted_anchors.step)
        b, size = len(self.rows), self.size
        self.is_between = generator.model.config.bias.is_counted
        self.followers = [Follower(generator.vocabulary) for _ in self.rows]
        self.ids = np.zeros((b, size), np.uint8)  # of the places of the ring
        self.counts = np.zeros((b, size), np.int64)  # occurrences that began up to a place, for `between`
        self.n_occurrences, self.last_id = np.zeros(b, np.int64), np.zeros(b, np.int64)
        self.lengths = np.zeros(b, np.int64)
        self.recent = np.full((b, generator.recent), N, np.uint8)
        self.caches, self.logits = self._read()
        self.step = generator.step_of(self)

    def _read(self) -> tuple[list[KeyValueCache], Float[np.ndarray, "b 4"]]:
        """One pass over the prompts: keys and values of every layer, logits after the last base of each."""
        generator, model = self.generator, self.generator.model
        longest = max(len(row) for row in self.rows)
        n = padded(longest)
        bases = np.full((len(self.rows), n), N, np.uint8)
        for row, known in zip(bases, self.rows, strict=True):
            row[: len(known)] = known
        ids = causal_motifs(model.config, bases, generator.vocabulary)
        inputs = [bases, ids, *angles(model.blocks[0].attention, np.arange(n)[None])]
        given = (Tensor(t, device=generator.device).realize() for t in inputs)
        logits, *held = generator.reader_of(bases.shape)(*given)
        rings = [self._ring(t.numpy()) for t in held]
        caches = [KeyValueCache(*pair, generator.device) for pair in zip(rings[::2], rings[1::2], strict=True)]
        for i, row in enumerate(self.rows):
            for base, motif_id in zip(row.tolist(), ids[i].tolist(), strict=False):
                self.followers[i].push(base)
                self._note(i, base, motif_id)
        last = logits.numpy()
        return caches, np.stack([last[i, len(row) - 1] for i, row in enumerate(self.rows)])

    def _ring(self, x: Float[np.ndarray, "b g n d"]) -> Float[np.ndarray, "b g m d"]:
        """The last keys or values of each row, at their places."""
        b, g, _, d = x.shape
        size = self.size
        ring = np.zeros((b, g, size, d), x.dtype)
        for i, row in enumerate(self.rows):
            kept = np.arange(max(len(row) - size, 0), len(row))
            ring[i][:, kept % size] = x[i][:, kept]
        return ring

    def _note(self, i: int, base: int, motif_id: int) -> None:
        """Row i grew by a base."""
        place = self.lengths[i] % self.size
        self.n_occurrences[i] += motif_id != 0 and motif_id != self.last_id[i]
        self.ids[i, place], self.counts[i, place] = motif_id, self.n_occurrences[i]
        self.last_id[i] = motif_id
        if self.anchors is not None:
            self.anchors.note(i, int(place), motif_id)
        self.recent[i, :-1] = self.recent[i, 1:]
        self.recent[i, -1] = base
        self.lengths[i] += 1

    def push(self, bases: UInt8[np.ndarray, "b"]) -> None:
        """Every row grows by a base; the logits of the next one are there afterwards."""
        reads = self.generator.model.config.reads_motifs
        before = self.n_occurrences.copy()
        for i, base in enumerate(bases.tolist()):
            self._note(i, base, self.followers[i].push(base) if reads else 0)
        size = self.size
        keys: np.ndarray = self.ids
        if self.is_between:  # what began after a key and before this base
            keys = np.clip(before[:, None] - self.counts, 0, 255)
        positions = self.lengths - 1
        cos, sin = angles(self.generator.model.blocks[0].attention, positions[:, None])
        words = [word_rows(self.recent, k) for k in self.generator.model.config.words]
        self.logits = self.step({
            "bases": self.recent[:, -1:], "motif_ids": self.last_id[:, None], "places": positions % size,
            "lengths": np.minimum(self.lengths, size), "key_ids": keys, "cos": cos, "sin": sin,
            **{f"words{i}": rows for i, rows in enumerate(words)},
            **({} if self.anchors is None else {"hidden": self.anchors.hidden(positions)}),
        })  # fmt: skip


def padded(n: int) -> int:
    """The next multiple of BUCKET."""
    return -(-n // BUCKET) * BUCKET


def word_rows(recent: UInt8[np.ndarray, "b r"], k: int) -> Int[np.ndarray, "b 1"]:
    """The row of the word of the last k bases, as `models.words.word_ids` gives it."""
    last = recent[:, recent.shape[1] - k :].astype(np.int64)
    code = (last * 4 ** np.arange(k - 1, -1, -1)).sum(axis=1)
    found: np.ndarray = np.where((last < N).all(axis=1), code, 4**k)[:, None]
    return found


class _Step:
    """One token of every sequence through the model, captured once; its inputs have memory of their own.

    A small model takes less time for a base than tinygrad for handing an input over, so the host writes into that
    memory and reads the logits from where they are.
    """

    def __init__(self, model: GenomicGPT, caches: list[KeyValueCache], device: str | None) -> None:
        self.model, self.caches = model, caches
        b, c = caches[0].keys.shape[0], angles(model.blocks[0].attention, np.zeros((1, 1)))[0].shape[-1]
        size = caches[0].keys.shape[2]
        shapes: dict[str, tuple[type, tuple[int, ...]]] = {
            "bases": (np.uint8, (b, 1)), "motif_ids": (np.uint8, (b, 1)), "places": (np.int32, (b,)),
            "lengths": (np.int32, (b,)), "key_ids": (np.uint8, (b, size)), "cos": (np.float32, (b, 1, c)),
            "sin": (np.float32, (b, 1, c)),
            **{f"words{i}": (np.int32, (b, 1)) for i in range(len(model.config.words))},
        }  # fmt: skip
        if model.config.anchors:
            shapes |= {"hidden": (np.int32, (b, size)), "shown": (np.int32, (b, 1))}
        self.inputs = {
            name: Tensor(np.zeros(shape, kind), device=device).contiguous().realize()
            for name, (kind, shape) in shapes.items()
        }  # fmt: skip
        self.kinds = {name: kind for name, (kind, _) in shapes.items()}
        self._captured = recorded(self._run, get_parameters(model))

    def take(self, caches: list[KeyValueCache]) -> None:
        """Begin with the contents of other caches, in the memory that was captured."""
        for mine, given in zip(self.caches, caches, strict=True):
            if mine is not given:
                write([mine.keys, mine.values], [given.keys.numpy(), given.values.numpy()])

    def __call__(self, arrays: dict[str, np.ndarray]) -> Float[np.ndarray, "b 4"]:
        given = {name: tensor for name, tensor in self.inputs.items() if name in arrays}
        write(list(given.values()), [arrays[name].astype(self.kinds[name]) for name in given])
        logits: Tensor = self._captured()
        return arrays_of([logits])[0].copy()

    def _run(self) -> Tensor:
        model, given = self.model, self.inputs
        words = [given[f"words{i}"] for i in range(len(model.config.words))]
        motif_ids = given["motif_ids"]
        segments = (given["shown"], given["hidden"]) if model.config.anchors else None
        x = model.summed(given["bases"], words, motif_ids)
        for block, cache in zip(model.blocks, self.caches, strict=True):
            x = x + decode(block.attention, block.attention_norm(x), cache, cos=given["cos"], sin=given["sin"],
                           places=given["places"], lengths=given["lengths"], motif_ids=motif_ids,
                           key_ids=given["key_ids"], segments=segments)
            x = block.mlp(block.mlp_norm(x), x)
        logits = model.to_bases(model.norm(x)).reshape(-1, N_PREDICTED).contiguous()
        Tensor.realize(logits, *(t for cache in self.caches for t in (cache.keys, cache.values)))
        return logits
