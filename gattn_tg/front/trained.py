"""A trained model, and what every kind of it can be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np
from tinygrad import Tensor
from tinygrad.helpers import Context

from gattn_tg.errors import ConfigError, FormatError, UnsupportedError
from gattn_tg.explain.attention import distance_bins, layers, looks
from gattn_tg.front.attention import Embedding, MotifAttention, MotifTable
from gattn_tg.front.evaluation import Evaluation
from gattn_tg.front.explanations import Explanations
from gattn_tg.front.sequences import Sequences, ids_of, padded, records_of
from gattn_tg.front.why import Question, explained, explained_places
from gattn_tg.io import Genome, Record
from gattn_tg.models.checkpoint import CONFIG, Checkpoint
from gattn_tg.models.config import TrunkConfig
from gattn_tg.models.forward import Forward
from gattn_tg.models.readouts import Readout
from gattn_tg.motif import annotate, causal_ids
from gattn_tg.score.shared import Over
from gattn_tg.score.variants.answers import answers_of
from gattn_tg.score.variants.asked import Asked, Variants
from gattn_tg.score.variants.background import Background
from gattn_tg.score.variants.effects import Effects
from gattn_tg.score.variants.files import digest, told_of
from gattn_tg.score.variants.options import Options
from gattn_tg.score.variants.table import VariantEffects
from gattn_tg.seq import Interval, N
from gattn_tg.training.config import TrainConfig
from gattn_tg.training.evaluate import evaluate, own_config
from gattn_tg.types import Float, UInt8

BUCKET = 64  # sequences are padded to a multiple of it where that changes nothing, so that few lengths are compiled
R = TypeVar("R")
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]


class Trained:
    """What `gattn_tg.load` returns: a model with what is needed to ask it about new sequences.

    Every method that takes sequences takes them as `front.sequences.records_of` describes: letters, the path of a
    FASTA file, records, arrays of base ids, or a list of these.

    Args:
        checkpoint: the model, its vocabulary and its readout.
        folder: where it was read from.
        device: where it runs; None is the device that DEV says.

    Attributes:
        model: the network.
        vocabulary: motif classes whose ids it reads.
    """

    def __init__(self, checkpoint: Checkpoint, folder: Path, device: str | None = None) -> None:
        self.checkpoint, self.folder, self.device = checkpoint, folder, device
        self.model, self.vocabulary = checkpoint.model, checkpoint.vocabulary
        self.over: Over | None = None  # shares batches out over processes that all ask the same
        self._held: dict[object, Any] = {}

    @property
    def kind(self) -> str:
        """Name of the kind of model."""
        return self.checkpoint.kind.name

    @property
    def config(self) -> TrunkConfig:
        """Sizes and choices of the network."""
        config: TrunkConfig = self.model.config
        return config

    @property
    def readout(self) -> Readout | None:
        """What the answers mean: classes, tracks, sites; None where the checkpoint does not say."""
        return self.checkpoint.readout

    @property
    def n_parameters(self) -> int:
        """Number of learnable values."""
        return int(self.model.n_parameters)

    def predict(self, sequences: Sequences, **options: Any) -> Any:
        """What this kind of model says of sequences; the classes of this room tell what that is."""
        self._refuse("predict", "it has no answer of its own")

    def along(self, genome: str | Path, where: str | Interval | Iterable[Interval] | Path | None = None,
              **options: Any) -> Any:  # fmt: skip
        """Values along a genome, of models of tracks, of sites and of classes.

        Raises:
            UnsupportedError: another kind of model.
        """
        self._refuse("along", "it gives no values along a genome; see predict")

    def generate(self, prompt: Any = "", **options: Any) -> Any:
        """New sequences, of models of next bases.

        Raises:
            UnsupportedError: another kind of model.
        """
        self._refuse("generate", "only a model that predicts the next base can write sequences")

    def embed(self, sequences: Sequences, *, batch_size: int = 16) -> Embedding:
        """Hidden vectors of sequences, the output of the last block: one per base, or per bin for models of tracks.

        Raises:
            FormatError: a sequence longer than the model can read.
        """
        records = list(records_of(sequences))
        for record in records:
            self._require_length(record)
        rows = [ids_of(record) for record in records]
        groups: dict[int, list[int]] = {}
        for i, row in enumerate(rows):
            groups.setdefault(self._width(len(row)), []).append(i)
        vectors: dict[int, np.ndarray] = {}
        bp, skip = self.config.token_bp, int(self.model.is_causal)
        for width, members in groups.items():
            size = min(batch_size, len(members))
            found = self._embedder(size)(*self._inputs([rows[i] for i in members], width))
            for i, row in zip(members, found, strict=True):
                vectors[i] = row[skip : skip - (-len(rows[i]) // bp)]
        return Embedding(tuple(r.name for r in records), tuple(vectors[i] for i in range(len(rows))), bp)

    def _embedder(self, batch_size: int) -> Callable[..., np.ndarray]:
        return self._run(("embed", batch_size), lambda: Forward(self.model, batch_size, None, self.model.hidden))

    def motif_attention(self, sequence: Sequences) -> MotifAttention:
        """Where the model looks in one sequence: exact shares of attention per layer, head and motif.

        Computed from the queries and keys of every layer, with its motif bias, rotary positions and masks, in memory
        that grows with the length of the sequence and not with its square.

        Raises:
            ConfigError: more than one sequence.
            FormatError: a sequence longer than the model can read.
        """
        if self.config.weighs_motifs:
            self._refuse("motif_attention", "its motifs are filters, of which every base has a strength and none an id")
        record, *others = records_of(sequence)
        if others:
            raise ConfigError(f"motif_attention: expected one sequence, got {1 + len(others)}; ask for one at a time")
        self._require_length(record)
        ids = ids_of(record)
        bp, skip, n_motifs = self.config.token_bp, int(self.model.is_causal), self.vocabulary.n_motifs
        bases, motif_ids, lengths = self._inputs([ids], -(-len(ids) // bp) * bp)
        with self._here(), Context(TRAINING=0):
            found, tokens = [], np.zeros(0)
            for layer in layers(self.model, Tensor(bases), Tensor(motif_ids), Tensor(lengths)):
                found.append(looks(layer, n_motifs, skip))
                tokens = layer.ids.numpy()[0, skip:]
        return MotifAttention(
            name=record.name, motifs=self.vocabulary.names,
            frequency=np.bincount(tokens, minlength=n_motifs)[:n_motifs] / len(tokens),
            share=np.stack([one.share for one in found]),
            received=np.stack([one.received[:, skip:] for one in found]),
            distances=np.stack([one.distances for one in found]),
            distance_starts=distance_bins(len(tokens) + skip), token_bp=bp,
        )  # fmt: skip

    def motif_table(self, frequency: Float[np.ndarray, "t"] | None = None) -> MotifTable:
        """The motif tables that the model has learnt, centred, in nats.

        Args:
            frequency: share of each motif id in the data; None takes all as equal.

        Raises:
            UnsupportedError: a model without motif bias.
        """
        if self.config.weighs_motifs:
            self._refuse("motif_table", "its motifs are filters, which no vocabulary names")
        with self._here():
            tables = self.model.motif_table(frequency)
        if not tables:
            self._refuse("motif_table", "it was trained without motif bias")
        return MotifTable(self.vocabulary.names, self.config.motif, tables)

    def explain(
        self, sequences: Sequences, where: str | Interval | Iterable[str | Interval] | Path | None = None, *,
        method: str = "mutagenesis", target: str | None = None, hold_motifs: bool = False, steps: int = 64,
        references: int = 16, seed: int = 0, batch_size: int = 64, attention: bool = True,
        counted: Callable[[int], None] | None = None,
    ) -> Explanations:
        """What every base of sequences gives to what the model says of them.

        Bases and motif ids are both inputs. Mutagenesis finds the motifs of every mutant anew, so a base is counted
        with the motifs that it makes and breaks; the other methods count bases and motif ids beside each other.

        Args:
            sequences: of at most the length that the model can read; with `where` the FASTA file of a genome.
            where: places in that genome, as `along` takes them; those on "-" are read on that strand.
            method: "mutagenesis" (every base changed to the other three), "gradient" (times input), "integrated"
                (gradients from a sequence of N) or "expected" (from shuffles that keep the dinucleotides).
            target: class, label or value; None takes the class that the model predicts, or the only answer.
            hold_motifs: mutagenesis: keep the motif ids of the sequence in every mutant.
            steps: integrated and expected: places on the ways where the gradient is taken.
            references: expected: shuffles of every sequence.
            seed: of the shuffles.
            batch_size: rows per call of the network.
            attention: also where the model looks in the sequences that a page shows.
            counted: is told of every sequence that is done.

        Returns:
            `contributions` in nats of log odds, or in units of the value; `write(folder)` makes a page and files.

        Raises:
            UnsupportedError: a model that says nothing of whole sequences; gradients of a bias of kind ordered or
                between, or of a model that counts words.
            ConfigError: an option out of its range, or no such target.
            FormatError: a sequence longer than the model can read.
            DivergedError: an answer is not finite.
        """
        question = Question(method=method, target=target, hold_motifs=hold_motifs, steps=steps, references=references,
                            seed=seed, batch_size=batch_size, with_attention=attention)
        if where is None:
            return explained(self, sequences, question, counted)
        return explained_places(self, sequences, where, question, counted)

    def variants(
        self, genome: str | Path, variants: Variants, *, window: int | None = None, both_strands: bool = False,
        shifts: Sequence[int] = (0,), background: str | Path | None = None,
        rename: Mapping[str, str] | str | None = None, skip_mismatched: str | Path | None = None,
        head: str | None = None, tracks: Sequence[str] | None = None, batch_size: int = 128, overwrite: bool = False,
    ) -> VariantEffects:
        """What variants do: the difference between what the model says of both alleles, each in its window of a genome.

        Both windows begin at the same base, and the first base that differs stands in their middle; to the right both
        go on with the genome, so after a deletion bases come in. Each alternative allele is looked at alone, also where
        several stand in one haplotype. All variants are read and compared with the genome before any is asked.

        Models of classes, labels and values give the answer of both alleles and its difference (of log odds, or in
        the units of the table); models of tracks and of sites, differences at the variant and over the window, see
        `score.variants.answers`; language models the difference of the (pseudo-)log-likelihood of the window.

        Args:
            genome: FASTA file; short elements do as well: windows stay inside, and one that fits is seen whole.
            variants: a VCF file, a TSV with chrom, pos, ref, alt, a text as "chr22:36201698:A>C", or several of these
                texts. Positions count from 1.
            window: bases of a window; None takes those of training.
            both_strands: the mean over windows and their reverse complements.
            shifts: the mean over windows moved by so many bases.
            background: variants as above; every difference gets its quantile, by size, among theirs.
            rename: names of contigs in the files -> in the genome; "auto": 22 is chr22.
            skip_mismatched: a TSV to which lines go whose REF the genome has not; None refuses them.
            head: of models of tracks; None takes the first.
            tracks: of models of tracks; None takes all of the head.
            batch_size: windows per call of the network, at most.
            overwrite: replace the file of `skip_mismatched`.

        Returns:
            A table that is computed while it is read: iterate over it, `to_tsv`, `write`, `to_dataframe`.

        Raises:
            CoordinateError: the genome has another REF (the text names file, line, both alleles and how many), or an
                unknown contig.
            FormatError: a malformed file.
            ConfigError: an option that this kind of model does not have, or out of its range.
            DivergedError: while it is read: an answer is not finite.
        """
        opened = Genome(genome)
        asked = Asked(variants, opened, rename=rename)
        n, n_mismatched = asked.checked(skip_mismatched, overwrite=overwrite)
        rows = min(batch_size, 1 << (2 * n - 1).bit_length())  # few variants need no full batch
        options = Options(batch_size=rows, both_strands=both_strands, window=window, head=head, tracks=tracks)
        key = ("variants", options.key)
        if key not in self._held:
            self._held[key] = answers_of(self.checkpoint, options)
        answers = self._held[key]
        compared = None
        if background is not None:
            others = self.variants(genome, background, window=window, both_strands=both_strands, shifts=shifts,
                                   rename=rename, head=head, tracks=tracks, batch_size=batch_size)
            compared = Background(others.differences())
        effects = Effects(answers, self.vocabulary, opened, shifts, compared)
        settings = {
            "model": digest(self.folder / CONFIG), "genome": told_of(genome),
            "variants": told_of(asked.path or variants), "background": told_of(background),
            "rename": rename, "shifts": list(shifts), "options": options.told,
        }  # fmt: skip
        return VariantEffects(asked, effects, n, n_mismatched, settings, self._each_here)

    def _each_here(self, items: Iterator[R]) -> Iterator[R]:
        """The items, each made on the device of the model."""
        while True:
            with self._here():
                found = list(islice(items, 1))
            if not found:
                return
            yield found[0]

    def evaluate(self, data: str | Path | None = None) -> Evaluation:
        """How well the model does on held-out data.

        Args:
            data: a TOML configuration whose [data] is used; None takes the held-out data of the run of the model.

        Raises:
            ConfigError: the configuration describes another model, or there is no run.
            FormatError: a file is malformed.
        """
        config = own_config(self.folder) if data is None else TrainConfig.from_toml(data)
        with self._here():
            found = evaluate(self.folder, config)
        if found.outcomes:
            return Evaluation.of_outcomes(self.kind, found.outcomes)
        return Evaluation(self.kind, {"valid": found.valid, "test": found.test})

    def __repr__(self) -> str:
        c = self.config
        return (f"{type(self).__name__}({self.kind}, {self.n_parameters:,} parameters, {c.n_layers} layers of "
                f"{c.n_heads} heads, width {c.width}, motif {c.motif}, {str(self.folder)!r})")

    def _refuse(self, method: str, reason: str) -> NoReturn:
        raise UnsupportedError(f"{method}: a {self.kind} cannot: {reason}")

    def _here(self) -> AbstractContextManager[Any]:
        """What runs inside runs on the device of the model."""
        return nullcontext() if self.device is None else Context(DEV=self.device)

    def _run(self, key: object, make: Callable[[], Callable[..., R]]) -> Callable[..., R]:
        """A captured network, made once, that runs on the device of the model."""
        if key not in self._held:
            self._held[key] = make()

        def run(*arrays: np.ndarray) -> R:
            with self._here():
                found: R = self._held[key](*arrays)
            return found

        return run

    def _require_length(self, record: Record) -> None:
        longest = self.config.longest_bp
        if longest is not None and len(record.sequence) > longest:
            raise FormatError(f"{record.name}: expected at most {longest} bases, which the model was made for, got "
                              f"{len(record.sequence)}; cut windows of {longest} bases")

    def _width(self, length: int) -> int:
        """Bases that a sequence is padded to: few different widths where padding changes nothing."""
        bp = self.config.token_bp
        if not (self.model.reads_lengths or self.model.is_causal):
            return -(-length // bp) * bp
        return min(-(-length // BUCKET) * BUCKET, self.config.longest_bp or length + BUCKET)

    def _inputs(self, rows: Sequence[UInt8[np.ndarray, "n"]], width: int) -> Arrays:
        """What the network reads for sequences: base ids, motif ids, lengths; an N in front for a causal one."""
        first = int(self.model.is_causal)
        start = [np.full(first, N, np.uint8)]
        bases = padded([np.concatenate([*start, row]) for row in rows], width + first)
        motif_ids = (causal_ids if self.model.is_causal else annotate)(bases, self.vocabulary)
        return bases, motif_ids, np.array([len(row) + first for row in rows], np.int32)
