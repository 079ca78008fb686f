"""A trained model, and what every kind of it can be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from gattn_tg.errors import ConfigError, UnsupportedError, an
from gattn_tg.front.asked_model import AskedModel
from gattn_tg.front.reasons import Reasons
from gattn_tg.front.sequences import Sequences, ids_of
from gattn_tg.later import Later
from gattn_tg.models.captured.forward import Forward, rows_of
from gattn_tg.models.checkpoint import Checkpoint
from gattn_tg.models.config import TrunkConfig
from gattn_tg.models.readouts.readout import Readout
from gattn_tg.seq import Interval
from gattn_tg.training.config import TrainConfig
from gattn_tg.types import Float

if TYPE_CHECKING:
    from gattn_tg.front import attention, converting, evaluation
    from gattn_tg.front import variants as alleles
    from gattn_tg.front.attention import Embedding, MotifAttention, MotifTable
    from gattn_tg.front.evaluation import Evaluation
    from gattn_tg.score.variants.asked import Variants
    from gattn_tg.score.variants.table import VariantEffects
    from gattn_tg.training import evaluate as held_out
else:
    attention = Later("gattn_tg.front.attention")
    converting = Later("gattn_tg.front.converting")
    evaluation = Later("gattn_tg.front.evaluation")
    alleles = Later("gattn_tg.front.variants")
    held_out = Later("gattn_tg.training.evaluate")


class Trained(Reasons):
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
        asked: the model as questions use it.
    """

    def __init__(self, checkpoint: Checkpoint, folder: Path, device: str | None = None) -> None:
        self.checkpoint, self.folder, self.device = checkpoint, folder, device
        self.model, self.vocabulary = checkpoint.model, checkpoint.vocabulary
        self.asked = AskedModel(checkpoint, folder, device)

    @property
    def kind(self) -> str:
        """Name of the kind of model."""
        return self.checkpoint.kind.name

    @property
    def config(self) -> TrunkConfig:
        """Sizes and choices of the network."""
        return self.asked.config

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

    def read_motifs(self, matrices: str | Path | None = None) -> Any:
        """The motifs that `filters` have learnt, of models of whole sequences.

        Raises:
            UnsupportedError: another kind of model, or one without filters.
        """
        self._refuse("read_motifs", "only a classifier with filters learns motifs")

    def embed(self, sequences: Sequences, *, batch_size: int = 16) -> Embedding:
        """Hidden vectors of sequences, the output of the last block: one per base, or per bin for models of tracks.

        Raises:
            ConfigError: `batch_size` is no whole number of at least 1.
            FormatError: a sequence longer than the model can read.
        """
        records = list(self.asked.records(sequences))
        for record in records:
            self.asked.require_length(record)
        rows = [ids_of(record) for record in records]
        groups: dict[int, list[int]] = {}
        for i, row in enumerate(rows):
            groups.setdefault(self.asked.width(len(row)), []).append(i)
        vectors: dict[int, np.ndarray] = {}
        bp, skip = self.config.token_bp, int(self.model.is_causal)
        for width, members in groups.items():
            size = rows_of(batch_size, len(members))
            found = self._embedder(size)(*self.asked.inputs([records[i] for i in members], width))
            for i, row in zip(members, found, strict=True):
                vectors[i] = row[skip : skip - (-len(rows[i]) // bp)]
        return attention.Embedding(tuple(r.name for r in records), tuple(vectors[i] for i in range(len(rows))), bp)

    def _embedder(self, batch_size: int) -> Callable[..., np.ndarray]:
        model = self.model
        return self.asked.network(("embed", batch_size), lambda: Forward(model, batch_size, None, model.hidden))

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
        record, *others = self.asked.records(sequence)
        if others:
            raise ConfigError(f"motif_attention: expected one sequence, got {1 + len(others)}; ask for one at a time")
        self.asked.require_length(record)
        return attention.motif_attention(self.asked, record)

    def motif_table(self, frequency: Float[np.ndarray, "t"] | None = None) -> MotifTable:
        """The motif tables that the model has learnt, centred, in nats.

        Args:
            frequency: share of each motif id in the data; None takes all as equal.

        Raises:
            UnsupportedError: a model without motif bias.
        """
        if self.config.weighs_motifs:
            self._refuse("motif_table", "its motifs are filters, which no vocabulary names")
        with self.asked.here():
            tables = self.model.motif_table(frequency)
        if not tables:
            self._refuse("motif_table", "it was trained without motif bias")
        return attention.MotifTable(self.vocabulary.names, self.config.motif, tables)

    def variants(
        self, genome: str | Path, variants: Variants, *, window: int | None = None, both_strands: bool | None = None,
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
            both_strands: the mean over windows and their reverse complements; None where a model of whole sequences
                was trained with strands turned.
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
        self.asked.require_letters("variants")
        question = alleles.VariantQuestion(window=window, both_strands=both_strands, shifts=shifts, rename=rename,
                                           head=head, tracks=tracks, batch_size=batch_size)
        return alleles.variant_effects(self.asked, genome, variants, question, background=background,
                                       skip_mismatched=skip_mismatched, overwrite=overwrite)

    def evaluate(self, data: str | Path | None = None) -> Evaluation:
        """How well the model does on held-out data.

        Args:
            data: a TOML configuration whose [data] is used; None takes the held-out data of the run of the model.

        Raises:
            ConfigError: the configuration describes another model, or there is no run.
            FormatError: a file is malformed.
        """
        config = held_out.own_config(self.folder) if data is None else TrainConfig.from_toml(data)
        with self.asked.here():
            found = held_out.evaluate(self.folder, config)
        if found.outcomes:
            return evaluation.Evaluation.of_outcomes(self.kind, found.outcomes)
        return evaluation.Evaluation(self.kind, {"valid": found.valid, "test": found.test})

    def export(
        self, output: str | Path, *, half: bool = False, gpu: bool = False, head: str | None = None,
        overwrite: bool = False,
    ) -> list[Path]:  # fmt: skip
        """Write the model as files that run without Python; see `front.converting.export_model`.

        Args:
            output: NAME.html, .js, .wasm, .c, .so for this machine, or .dylib for Macs.
            half: pages and modules: large weights as float16.
            gpu: pages: kernels for WebGPU as well.
            head: of a model of tracks; None takes all of them.
            overwrite: replace files that are there.

        Returns:
            The files.

        Raises:
            UnsupportedError: a model that cannot be exported, with the reason.
            ConfigError: another ending, no such head, or several heads that see windows of other sizes.
            GattnError: a file is there already.
        """
        return converting.export_model(self.folder, output, half=half, gpu=gpu, head=head, overwrite=overwrite)

    def __repr__(self) -> str:
        c = self.config
        return (f"{type(self).__name__}({self.kind}, {self.n_parameters:,} parameters, {c.n_layers} layers of "
                f"{c.n_heads} heads, width {c.width}, motif {c.motif}, {str(self.folder)!r})")

    def _refuse(self, method: str, reason: str) -> NoReturn:
        raise UnsupportedError(f"{method}: {an(self.kind)} cannot: {reason}")
