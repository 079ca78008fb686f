"""Trained language models: what comes next, and what is hidden."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gattn_tg.errors import counted
from gattn_tg.front.sequences import Sequences, ids_of, padded, records_of
from gattn_tg.front.trained import Trained
from gattn_tg.io.replacing import replacing
from gattn_tg.models.captured.forward import Forward, rows_of
from gattn_tg.models.generate import Generator
from gattn_tg.models.gpt import N_PREDICTED
from gattn_tg.models.likelihood import Likelihood
from gattn_tg.score.table import Table
from gattn_tg.seq import N, decode, encode
from gattn_tg.types import Float, Int, UInt8

LINE_BP = 60  # of FASTA
PLACES = 16  # hidden bases are named in multiples of it, so that few numbers of them are compiled


@dataclass(frozen=True, repr=False)
class NextBases(Table):
    """How likely a model finds each base of sequences, given the bases before it.

    Args:
        names: of the sequences.
        log2_probabilities: for each sequence, of A C G T at every base.
        bits: for each sequence, -log2 of the probability of each base that is there; nan where it is N.
    """

    names: tuple[str, ...]
    log2_probabilities: tuple[Float[np.ndarray, "n 4"], ...]
    bits: tuple[Float[np.ndarray, "n"], ...]

    @property
    def bits_per_base(self) -> Float[np.ndarray, "N"]:
        """The mean of `bits` of each sequence; nan where all bases are N."""
        return np.array([np.nan if np.isnan(x).all() else np.nanmean(x, dtype=np.float64) for x in self.bits])

    @property
    def summary(self) -> str:
        """How much of what."""
        return f"{counted(len(self.names), 'sequence')}, {sum(map(len, self.bits)):,} bases"

    @property
    def header(self) -> list[str]:
        """Name, length, mean surprise."""
        return ["name", "length", "bits_per_base"]

    def rows(self) -> Iterator[list[object]]:
        """One per sequence."""
        for name, bits, mean in zip(self.names, self.bits, self.bits_per_base.tolist(), strict=True):
            yield [name, len(bits), mean]


@dataclass(frozen=True, repr=False)
class Generated(Table):
    """New sequences.

    Args:
        prompts: what each goes on from.
        sequences: the new bases of each, without the prompt.
        told: the options they were drawn with.
    """

    prompts: tuple[str, ...]
    sequences: tuple[str, ...]
    told: str

    @property
    def summary(self) -> str:
        """How much of what."""
        return f"{counted(len(self.sequences), 'sequence')}, {self.told}"

    @property
    def header(self) -> list[str]:
        """Name, prompt, new bases."""
        return ["name", "prompt", "sequence"]

    def rows(self) -> Iterator[list[object]]:
        """One per sequence."""
        for i, (prompt, new) in enumerate(zip(self.prompts, self.sequences, strict=True), start=1):
            yield [f"generated_{i}", prompt, new]

    def fasta(self) -> Iterator[str]:
        """The lines of a FASTA file, the prompt at the beginning of each sequence."""
        for name, prompt, new in self.rows():
            yield f">{name} {self.told}"
            letters = f"{prompt}{new}"
            yield from (letters[at : at + LINE_BP] for at in range(0, len(letters), LINE_BP))

    def to_fasta(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write a FASTA file; compressed when its name ends in `.gz`.

        Raises:
            GattnError: the file exists, or cannot be written.
        """
        with replacing(path, overwrite=overwrite) as file:
            file.writelines(line + "\n" for line in self.fasta())


@dataclass(frozen=True, repr=False)
class HiddenBases(Table):
    """What a model thinks stands where a sequence has N.

    Args:
        names: of the sequence of each N.
        positions: of each N in its sequence, from 0.
        probabilities: of A C G T, one row per N.
    """

    names: tuple[str, ...]
    positions: Int[np.ndarray, "p"]
    probabilities: Float[np.ndarray, "p 4"]

    @property
    def summary(self) -> str:
        """How much of what."""
        return f"{len(self.names):,} hidden bases"

    @property
    def header(self) -> list[str]:
        """Place, the likeliest base, and the probability of each."""
        return ["name", "position", "base", "p_A", "p_C", "p_G", "p_T"]

    def rows(self) -> Iterator[list[object]]:
        """One per N."""
        for name, at, p in zip(self.names, self.positions.tolist(), self.probabilities, strict=True):
            yield [name, at, "ACGT"[int(p.argmax())], *p.tolist()]


class TrainedGPT(Trained):
    """Predicts every next base, and writes new sequences."""

    def predict(self, sequences: Sequences, *, batch_size: int = 16) -> NextBases:  # type: ignore[override]
        """How likely each base is, given the bases before it.

        Raises:
            FormatError: a sequence is malformed.
            DivergedError: a logit is not finite.
        """
        records = list(records_of(sequences))
        rows = [ids_of(record) for record in records]
        found: dict[int, np.ndarray] = {}
        groups: dict[int, list[int]] = {}
        for i, row in enumerate(rows):
            groups.setdefault(self.asked.width(len(row)), []).append(i)
        for width, members in groups.items():
            size = rows_of(batch_size, len(members))
            with self.asked.here():
                values = np.concatenate(list(self._likelihood(size)(padded([rows[i] for i in members], width))))
            found |= {i: x[: len(rows[i])] for i, x in zip(members, values, strict=True)}
        log2_p = tuple(found[i] for i in range(len(rows)))
        return NextBases(tuple(r.name for r in records), log2_p,
                         tuple(_bits(p, row) for p, row in zip(log2_p, rows, strict=True)))

    def _likelihood(self, batch_size: int) -> Likelihood:
        return self.asked.held(("next", batch_size), lambda: Likelihood(self.model, self.vocabulary, batch_size))

    def generate(  # type: ignore[override]
        self, prompt: str | bytes | UInt8[np.ndarray, "n"] | Sequence[str] = "", *, n: int = 1, length: int = 500,
        temperature: float = 1.0, top_k: int = N_PREDICTED, seed: int = 0,
    ) -> Generated:
        """New sequences.

        Args:
            prompt: bases to go on from, as letters or ids; several for one sequence each.
            n: sequences for each prompt.
            length: new bases of each.
            temperature: below 1 plays safe, 0 always takes the likeliest base.
            top_k: only so many of the likeliest bases can come, 1 to 4.
            seed: of the draws.

        Raises:
            ConfigError: an option out of its range.
            FormatError: a letter that is no nucleotide.
            DivergedError: a logit is not finite.
        """
        several = prompt if isinstance(prompt, list | tuple) else [prompt]
        prompts = [encode(p) if isinstance(p, str | bytes) else np.asarray(p) for p in several for _ in range(n)]
        generator = self.asked.held("generator", lambda: Generator(self.model, self.vocabulary))
        with self.asked.here():
            written = generator(prompts, length, temperature=temperature, top_k=top_k, seed=seed)
        told = f"length={length} temperature={temperature:g} top_k={top_k} seed={seed}"
        return Generated(tuple(map(decode, prompts)), tuple(map(decode, written)), told)


class TrainedEncoder(Trained):
    """Names hidden bases."""

    def predict(self, sequences: Sequences, *, batch_size: int = 16) -> HiddenBases:  # type: ignore[override]
        """What stands where the sequences have N.

        A model of words of k bases names the word that ends at each N; its last base counts.

        Raises:
            FormatError: a sequence is malformed, or none has an N.
            DivergedError: a logit is not finite.
        """
        rows_of(batch_size)  # refused as by other kinds, though sequences are asked one by one
        names, positions, found = [], [], []
        for record in records_of(sequences):
            ids = ids_of(record)
            places = np.flatnonzero(ids == N)
            width = self.asked.width(len(ids))
            size = -(-max(len(places), 1) // PLACES) * PLACES
            run = self.asked.network("hidden", lambda: Forward(self.model, 1))
            if not len(places):
                continue
            asked = np.pad(places, (0, size - len(places)), mode="edge").astype(np.int32)
            logits = run(*self.asked.inputs([record], width), asked[None])[0, : len(places)].astype(np.float64)
            p = np.exp(logits - logits.max(1, keepdims=True))
            p = (p / p.sum(1, keepdims=True)).reshape(len(places), -1, 4).sum(1)
            names += [record.name] * len(places)
            positions.append(places)
            found.append(p.astype(np.float32))
        none = [np.zeros((0, 4), np.float32)]
        return HiddenBases(tuple(names), np.concatenate([np.zeros(0, np.int64), *positions]),
                           np.concatenate(none + found))


def _bits(log2_p: Float[np.ndarray, "n 4"], ids: UInt8[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    picked = np.take_along_axis(log2_p, np.minimum(ids, 3)[:, None], axis=1)[:, 0]
    return np.where(ids < N, -picked, np.nan)
