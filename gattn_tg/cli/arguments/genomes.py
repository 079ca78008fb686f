"""Options of the verbs for genomes, motifs and tables to train on."""

from __future__ import annotations

from pathlib import Path

from gattn_tg.cli.arguments import parse, shared


def annotate(verbs: shared.Verbs) -> None:
    """The options of `gattn annotate`."""
    verb = shared.verb(verbs, "annotate", "motifs, CpG islands and AT-rich stretches of a FASTA file, as BED")
    verb.add_argument("input", type=Path, metavar="INPUT", help=shared.FASTA_INPUT)
    verb.add_argument("-o", "--output", type=Path, default=None, help="BED(.gz) to write (standard output)")
    verb.add_argument("--tbi", action="store_true", help="also write the index OUTPUT.tbi of a BED.gz, for tabix")
    verb.add_argument("--bigwig", type=Path, default=None, help="also write the share of bases in motifs, per bin")
    verb.add_argument(
        "--bin-bp", type=parse.whole(1, parse.MOST_BASES), default=100, help="bases of a bin of --bigwig (100)"
    )
    shared.vocabulary(verb)
    shared.processes(verb)
    shared.mpi(verb)
    shared.overwrite(verb, "replace the output files")


def motifs(verbs: shared.Verbs) -> None:
    """The options of `gattn motifs`."""
    summary = (
        "a motif vocabulary from JASPAR names, or from a file of MEME, JASPAR or HOMER; of a checkpoint with filters "
        "the motifs that it has learnt"
    )
    verb = shared.verb(verbs, "motifs", summary)
    summary = "folder of a run, or of its checkpoint: tell what its filters are now, which known motif each resembles"
    verb.add_argument("checkpoint", type=Path, nargs="?", default=None, metavar="CKPT", help=summary)
    verb.add_argument("--jaspar", type=parse.names, default=None, metavar="NAMES", help="factors or ids: CTCF,SP1,TBP")
    summary = "motif file (- is standard input); all of it, or those of --jaspar; with CKPT the known motifs (JASPAR)"
    verb.add_argument("--file", type=Path, default=None, help=summary)
    summary = "release that names are looked up in (JASPAR2024, whose vertebrates are bundled)"
    verb.add_argument("--release", default="JASPAR2024", help=summary)
    verb.add_argument("--tax-group", default="vertebrates", help="vertebrates, plants, fungi, insects ...")
    verb.add_argument(
        "--pvalue", type=parse.chance, default=1e-4, help="chance of a hit per position and strand (1e-4)"
    )
    summary = "leave out motifs whose best word is more frequent than --pvalue, instead of an error"
    verb.add_argument("--skip-short", action="store_true", help=summary)
    summary = "the K-th of N equal parts of the file; a vocabulary holds 255 motifs"
    verb.add_argument("--part", type=parse.part, default=None, metavar="K/N", help=summary)
    verb.add_argument("--with-default", action="store_true", help="add the classes of the default vocabulary")
    summary = "TOML to write (standard output), or with CKPT a folder"
    verb.add_argument("-o", "--output", type=Path, default=None, help=summary)
    shared.overwrite(verb, "replace the output file")


def extract(verbs: shared.Verbs) -> None:
    """The options of `gattn extract`."""
    verb = shared.verb(verbs, "extract", "loci of a genome as FASTA, or one-hot as npz")
    verb.add_argument("genome", type=Path, metavar="GENOME", help="FASTA, plain or bgzip (small ones also gzip)")
    verb.add_argument("--locus", action="append", default=[], help="chrom:start-end[:strand], 0-based; often")
    verb.add_argument("--bed", type=Path, default=None, help="BED or narrowPeak with the loci; - is standard input")
    summary = "--bed is narrowPeak, whatever its name; *.narrowPeak is known without it"
    verb.add_argument("--peaks", action="store_true", help=summary)
    verb.add_argument("--one-based", action="store_true", help="--locus counts from 1, as genome browsers do")
    summary = "resize loci around their middle (or summit)"
    verb.add_argument("--width", type=parse.whole(1, parse.MOST_BASES), default=None, help=summary)
    verb.add_argument("--pad", action="store_true", help="give N outside contigs instead of an error")
    verb.add_argument("-o", "--output", type=Path, required=True, help="*.fa[.gz] or *.npz (N, 4, L), order ACGT")
    shared.rename(verb)
    shared.overwrite(verb, "replace the output file")


def dataset(verbs: shared.Verbs) -> None:
    """The options of `gattn dataset`."""
    verb = shared.verb(verbs, "dataset", "peaks of an assay as tables to train on: windows, negatives, parts by contig")
    verb.add_argument("peaks", type=Path, metavar="PEAKS", help="BED or narrowPeak; - is standard input")
    verb.add_argument("genome", type=Path, metavar="GENOME", help="FASTA, plain or bgzip (small ones also gzip)")
    verb.add_argument("-o", "--output", type=Path, required=True, help="folder to make")
    summary = "bases of each window, around the summit or the middle of its peak (200)"
    verb.add_argument("--width", type=parse.whole(1, parse.MOST_BASES), default=200, help=summary)
    summary = "gc (random windows of the same GC content), shuffle (the same dinucleotides), or a BED file (gc)"
    verb.add_argument("--negatives", type=parse.negatives, default="gc", metavar="KIND", help=summary)
    summary = "negatives for each positive, where they are drawn (1)"
    verb.add_argument("--ratio", type=parse.whole(1, 1000), default=None, help=summary)
    for part in ("valid", "test"):
        summary = f"contigs (or with --folds folds) of {part}.csv; without any, contigs with a tenth of the peaks"
        verb.add_argument(f"--{part}", type=parse.names, default=[], metavar="NAMES", help=summary)
    verb.add_argument("--folds", type=Path, default=None, help="BED4 whose fourth column names folds")
    verb.add_argument("--exclude", type=Path, default=None, help="BED of places to leave out, such as a blacklist")
    summary = "share of N that a window may have (0)"
    verb.add_argument("--max-unknown", type=parse.share, default=0.0, help=summary)
    summary = "PEAKS is narrowPeak, whatever its name; *.narrowPeak is known without it"
    verb.add_argument("--narrow-peak", action="store_true", help=summary)
    summary = "records of GENOME named chrX:100-200 are places in the genome"
    verb.add_argument("--regions", action="store_true", help=summary)
    shared.rename(verb)
    shared.mpi(verb)
    shared.overwrite(verb, "replace the folder of an earlier data set")


def preprocess(verbs: shared.Verbs) -> None:
    """The options of `gattn preprocess`."""
    verb = shared.verb(
        verbs, "preprocess", "encode and annotate a genome, or tables, once, into files that are mapped into memory"
    )
    summary = "FASTA of a genome, or CSV/TSV tables that become one; - is standard input"
    verb.add_argument("inputs", type=Path, nargs="+", metavar="INPUT", help=summary)
    verb.add_argument("-o", "--output", type=Path, required=True, help="folder to make")
    verb.add_argument("--no-motifs", action="store_true", help="encode only; of a genome")
    summary = "of tables: what is learnt from them (classes)"
    verb.add_argument("--task", choices=("classes", "labels", "values"), default=None, help=summary)
    verb.add_argument("--label-column", default=None, metavar="NAME", help="of tables: column of classes (label)")
    summary = "of tables: columns of labels or values"
    verb.add_argument("--label-columns", type=parse.names, default=None, metavar="NAMES", help=summary)
    summary = "of tables: column of sequences (sequence)"
    verb.add_argument("--sequence-column", default=None, metavar="NAME", help=summary)
    summary = "of tables: column of measured states; takes --vocab methylation, or a vocabulary with such classes"
    verb.add_argument("--state-column", default=None, metavar="NAME", help=summary)
    shared.vocabulary(verb)
    shared.processes(verb)
    shared.overwrite(verb, "replace the folder of an earlier run")
