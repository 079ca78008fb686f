"""Trained models of sparse sites: one answer for each site of a genome."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from gattn_tg.data.genomes.stretches import Stretch, Stretches
from gattn_tg.data.sites.blocks import joined
from gattn_tg.data.sites.listed import stretches_of
from gattn_tg.errors import ConfigError
from gattn_tg.front.sequences import Sequences, places_of
from gattn_tg.front.trained import Trained
from gattn_tg.motif import annotate
from gattn_tg.score.along import check_places, intervals_of, open_genome
from gattn_tg.score.sites import Answered, SitePredictor, SiteValues, clusters, gathered, read_site_list
from gattn_tg.seq import Interval

ROWS = 4  # of sites at once


class TrainedSites(Trained):
    """Says how likely yes is, or which share of reads says yes, at each of sparse sites."""

    def predict(  # type: ignore[override]
        self, sequences: Sequences, *, both_strands: bool | None = None, batch_size: int = ROWS
    ) -> SiteValues:
        """Answers for every place of the pattern in sequences: beyond the ends of each the model sees N.

        Args:
            sequences: of any length.
            both_strands: the mean over both strands; None as in training.
            batch_size: rows of sites per call of the network.

        Raises:
            ConfigError: the model was trained on listed sites, which letters do not show (see `along`), or two
                sequences have one name.
            FormatError: a sequence is malformed, or the checkpoint does not say how it was trained.
            DivergedError: an answer is not finite.
        """
        predictor = self.predictor(both_strands=both_strands, batch_size=batch_size)
        answered: list[Answered] = []
        sizes: dict[str, int] = {}
        for here, ids in places_of(sequences):
            sizes[here.chrom] = len(here)
            genome = Stretches([Stretch(here, ids, annotate(ids, self.vocabulary))], self.vocabulary)
            with self.asked.here():
                answered += predictor.found(genome, [here])
        return gathered(answered, predictor, sizes)

    def along(  # type: ignore[override]
        self, genome: str | Path, where: str | Interval | Iterable[str | Interval] | Path | None = None, *,
        sites: str | Path | None = None, both_strands: bool | None = None, batch_size: int = ROWS,
        regions: bool = False,
    ) -> SiteValues:
        """Answers for the sites of a genome, in its order.

        Args:
            genome: FASTA file, or a folder of `gattn preprocess`; of a whole genome the folder, which is mapped.
            where: every place of the pattern that begins in "chr16:200,000-300,000" (0-based, half-open), an
                `Interval`, several of them, or the Path of a BED file; None takes all.
            sites: in place of it a BED file of the sites themselves, whose names are kept; it has to be given to models
                that were trained on listed sites.
            both_strands: as in `predict`.
            batch_size: as in `predict`.
            regions: records of the FASTA file named chrom:start-end lie there.

        Raises:
            CoordinateError: a place where there is no sequence, or a site with other letters than the pattern.
            ConfigError: both `where` and `sites`, or none of them to a model without a pattern.
            FormatError, DivergedError: as `predict`; a malformed BED file.
        """
        predictor = self.predictor(both_strands=both_strands, batch_size=batch_size)
        path, n = Path(genome), predictor.readout.site_bp
        if sites is not None:
            if where is not None:
                raise ConfigError("along: expected places or a list of sites, got both; leave one out")
            wanted, names = read_site_list(sites, n)
            near = clusters(wanted, n, 2 * predictor.flank_bp)
            source, sizes = open_genome(path, self.vocabulary, near, regions=regions, flank_bp=predictor.flank_bp)
            with self.asked.here():
                return gathered(predictor.of(source, wanted), predictor, sizes, names)
        intervals = intervals_of(where)
        asked = None if intervals is None else joined(intervals)
        source, sizes = open_genome(path, self.vocabulary, asked, regions=regions, flank_bp=predictor.flank_bp)
        check_places(intervals or [], sizes)
        with self.asked.here():
            return gathered(predictor.found(source, stretches_of(source) if asked is None else asked), predictor, sizes)

    def predictor(self, *, both_strands: bool | None = None, batch_size: int = ROWS) -> SitePredictor:
        """The captured network, made once for equal options."""
        key = ("sites", both_strands, batch_size)
        return self.asked.held(key, lambda: SitePredictor(
            self.checkpoint, both_strands=both_strands, batch_size=batch_size, over=self.asked.over))

    def embed(self, sequences: Sequences, **options: Any) -> NoReturn:
        """Refused, as its tokens are sites.

        Raises:
            UnsupportedError: always.
        """
        self._refuse("embed", "it reads sites among their neighbours, and no sequence by itself")

    def motif_attention(self, sequence: Sequences) -> NoReturn:
        """Refused, as its tokens are sites.

        Raises:
            UnsupportedError: always.
        """
        self._refuse("motif_attention", "its attention is among sites, and not among the bases of a sequence")

    def explain(self, *arguments: Any, **options: Any) -> NoReturn:
        """Refused, as its answers are of sites.

        Raises:
            UnsupportedError: always.
        """
        self._refuse("explain", "its answers are of sites, and not of whole sequences")

    def variants(self, *arguments: Any, **options: Any) -> NoReturn:
        """Refused: a variant makes and breaks sites, and nothing says which answers to compare then.

        Raises:
            UnsupportedError: always.
        """
        self._refuse("variants", "a variant makes and breaks sites, so that there is no answer to compare with")
