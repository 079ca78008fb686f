"""The effects of variants as a table that is computed while it is read, and as the files it is written to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path

from gattn_tg.errors import counted
from gattn_tg.io.tables import tsv_line
from gattn_tg.score.in_turns import from_first
from gattn_tg.score.table import Table
from gattn_tg.score.variants.asked import Asked
from gattn_tg.score.variants.effects import Effect, Effects
from gattn_tg.score.variants.files import Progress, Unfinished, write_rows
from gattn_tg.score.variants.vcf_lines import VcfLines

PLACE = ["chrom", "pos", "id", "ref", "alt", "kind"]
MOTIFS = ["motifs_lost", "motifs_gained"]
BETWEEN = "|"  # motifs in one field
VCF_ENDINGS = (".vcf", ".vcf.gz")
On = Callable[[Iterator[list[Effect]]], Iterator[list[Effect]]]


class VariantEffects(Table):
    """What variants do: one row per alternative allele, in the order of the file, `pos` counted from 1.

    Nothing is held: every iteration asks the model anew, chunk by chunk, so a file may have any number of variants.

    Args:
        asked: the variants.
        effects: what answers.
        n: alleles in all.
        n_mismatched: lines that were left out, as the genome has another REF.
        settings: what the numbers depend on, JSON values; a run goes on only with equal ones.
        on_device: wraps the iterator of chunks, so that it runs on the device of the model.
    """

    def __init__(
        self, asked: Asked, effects: Effects, n: int, n_mismatched: int, settings: dict[str, object], on_device: On
    ) -> None:
        self.asked, self.effects, self.settings, self._on_device = asked, effects, settings, on_device
        self.n, self.n_mismatched = n, n_mismatched

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[Effect]:
        return chain.from_iterable(self.chunks())

    def chunks(self, done: int = 0) -> Iterator[list[Effect]]:
        """The effects chunk by chunk, without the first `done` of them, which must be whole chunks."""
        return self._on_device(self.effects.chunks(self.asked.each(lambda _: None), done))

    def differences(self) -> Iterator[list[float]]:
        """The scores that are 0 where both alleles do the same, of each variant."""
        wanted = [i for i, column in enumerate(self.effects.answers.columns) if column.difference]
        return ([effect.scores[i] for i in wanted] for effect in self)

    @property
    def summary(self) -> str:
        """How much of what."""
        return f"{counted(self.n, 'variant')}, windows of {self.effects.answers.width} bp"

    @property
    def header(self) -> list[str]:
        """Place, scores, quantiles where there is a background, motifs."""
        return [*PLACE, *(column.name for column in self.effects.columns), *MOTIFS]

    def rows(self) -> Iterator[list[object]]:
        """One per alternative allele."""
        return map(_row, self)

    def lines(self) -> Iterator[str]:
        """The lines of the TSV file, its header first; nothing where the first variants cannot be asked."""
        rows = map(_line, self)
        first = list(islice(rows, 1))
        yield from chain([tsv_line(self.header) + "\n"], first, rows)

    def write(
        self, path: str | Path, *, overwrite: bool = False, resume: bool = False, progress: Progress | None = None
    ) -> int:
        """Write a VCF file where the name ends in .vcf or .vcf.gz (with its index .tbi), else a TSV; return the rows.

        While it is written, what is done stands in NAME.part and NAME.part.json beside it. After a kill or Ctrl-C they
        stay, and `resume` goes on behind the last whole chunk, to the same bytes.

        Args:
            path: the file; packed when its name ends in .gz.
            overwrite: replace an existing file, and forget an unfinished one.
            resume: go on with an unfinished one; begin where there is none.
            progress: is told of the rows of every chunk, those of an earlier run included.

        Raises:
            FormatError: VCF, and the variants are not sorted.
            ConfigError: an unfinished file is there and neither word was said, or it is of other settings.
            GattnError: the file exists, or cannot be written.
        """
        path = Path(path)
        settings = {**self.settings, "columns": self.header, "name": path.name}
        unfinished = Unfinished(path, settings, overwrite=overwrite, resume=resume)
        if str(path).endswith(VCF_ENDINGS):
            form = VcfLines(self.effects.columns, self.asked.genome)
            form.check_order(one.variant for one in self.asked.each(lambda _: None))
            header, line, index = form.header(), form.line, str(path).endswith(".gz")
        else:
            header, line, index = tsv_line(self.header) + "\n", _line, False
        written = ((len(some), "".join(map(line, some))) for some in self.chunks(self._done(unfinished.done)))
        return write_rows(path, header, written, unfinished, overwrite=overwrite, index=index, progress=progress)

    def share(self, *, is_file: bool = True) -> None:
        """Compute a share of the effects for another process, the first, which writes them.

        Args:
            is_file: the first calls `write`, and may go on behind what is there; else it iterates.
        """
        for _ in self.chunks(self._done(0) if is_file else 0):
            pass

    def _done(self, rows: int) -> int:
        """How many rows are there already, as the process says that writes."""
        return from_first(lambda: rows, self.effects.over)

    def to_tsv(self, path: str | Path, *, overwrite: bool = False) -> int:
        """Write a TSV file and return the number of rows, as `write` does.

        Raises:
            GattnError: as `write`.
        """
        return self.write(path, overwrite=overwrite)


def _row(effect: Effect) -> list[object]:
    one = effect.asked
    v = one.variant
    return [v.chrom, v.start + 1, one.id, v.ref or "-", v.alt or "-", v.kind, *effect.scores, *effect.quantiles,
            BETWEEN.join(effect.changes.lost), BETWEEN.join(effect.changes.gained)]


def _line(effect: Effect) -> str:
    return tsv_line(f"{value:.6g}" if isinstance(value, float) else value for value in _row(effect)) + "\n"
