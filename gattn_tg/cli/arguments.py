"""Verbs and options of `gattn`; importing this file is quick, a verb's own module is loaded when it runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from gattn_tg.cli import output
from gattn_tg.errors import ConfigError
from gattn_tg.version import __version__

DESCRIPTION = """\
Genomic attention with a learnable motif bias, on CPUs and every GPU.

  gattn demo                       train, test and explain a splice-site model on bundled human and primate DNA
  gattn annotate genome.fa         mark motifs, CpG islands and AT-rich stretches
  gattn motifs --jaspar CTCF,SP1   make a vocabulary of JASPAR's matrices
  gattn init KIND > config.toml    write a commented configuration of a kind of model
  gattn dataset peaks.bed genome.fa -o data   tables to train on from the peaks of an assay
  gattn train config.toml          train a model on your sequences
  gattn finetune run/best new.toml train a new head on a trained trunk
  gattn predict run/best new.fa    classes of new sequences, or tracks and sites along them
  gattn variants run/best genome.fa new.vcf   what variants do to what the model says
  gattn explain run/best new.fa -o why        the bases that an answer rests on
  gattn generate run/best          new sequences from a language model
  gattn help VERB                  the options of a verb, as `gattn VERB --help`
"""
FASTA_INPUT = "FASTA of any size, plain, gzip or bgzip; - is standard input"
EPILOGUE = "Research use, not diagnosis. `gattn VERB --help` explains the options of a verb."
MOST_BASES = MOST_ROWS = 2**31 - 1  # positions and row numbers are 32-bit numbers in kernels and in BigWig files
MOST_CORES = 1024  # more than any machine has: a slip of the finger; fewer are cut down to those that are here
MOST_EPOCHS = 1_000_000
MOST_SEED = 2**63 - 1


class Parser(argparse.ArgumentParser):
    """argparse that raises instead of printing its usage, so that an error is one line; a full disk is one, too."""

    def _print_message(self, message: str, file: object = None) -> None:
        output.say(message.removesuffix("\n"))

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{self.prog}: {message}; see `{self.prog} --help`")


def parser() -> Parser:
    """The parser of the whole command line."""
    top = Parser(
        prog="gattn",
        description=DESCRIPTION,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"gattn_tg {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)

    demo = _verb(verbs, "demo", "train, test, predict and annotate on the bundled DNA; about a minute on two cores")
    demo.add_argument("-o", "--output", type=Path, default=Path("gattn-demo"), help="folder to make (gattn-demo)")
    demo.add_argument("--epochs", type=_whole(1, MOST_EPOCHS), default=None, help="passes over the training set")
    _overwrite(demo, "replace the folder of an earlier demo")

    init = _verb(verbs, "init", "a commented configuration of a kind of model, ready to be trained and changed")
    init.add_argument("kind", metavar="KIND", help="SequenceClassifier, GenomicGPT, MaskedEncoder, TrackModel ...")
    init.add_argument("--preset", default="", help="sizes of the model: tiny, small or base (those of the example)")
    init.add_argument("--task", default="", help="of a SequenceClassifier: classes, labels or values (classes)")
    init.add_argument("-o", "--output", type=Path, default=None, help="TOML to write (standard output)")
    _overwrite(init, "replace the output file")

    train = _verb(verbs, "train", "train the model that a TOML file describes")
    train.add_argument("config", type=Path, metavar="CONFIG.toml")
    _training(train)

    finetune = _verb(verbs, "finetune", "train a new head on the weights of a checkpoint of any kind")
    _checkpoint(finetune)
    finetune.add_argument("config", type=Path, metavar="CONFIG.toml")
    _training(finetune)

    predict = _verb(verbs, "predict", "classes of sequences as TSV; values along a genome as BigWig, TSV or npz")
    _checkpoint(predict)
    summary = (
        "FASTA; CSV/TSV with a column sequence (and name), for classes; a folder of `gattn preprocess`, for tracks and "
        "sites; - is standard input"
    )
    predict.add_argument("input", type=Path, metavar="INPUT", help=summary)
    summary = (
        "TSV to write (standard output); along a genome NAME.bw, NAME.tsv, NAME.bedgraph, NAME.npz or a folder of "
        "BigWig files"
    )
    predict.add_argument("-o", "--output", type=Path, default=None, help=summary)
    predict.add_argument("--bed", type=Path, default=None, help="along a genome: in these intervals only; for a "
                         "model of sequences without --stride: the window around each, one line of the table")
    summary = (
        "classes all along a genome: a window every BASES; the bin [s, s+BASES) gets what the model says of the window "
        "around s + BASES//2, of two classes in one BigWig the second"
    )
    predict.add_argument("--stride", type=_whole(1, MOST_BASES), default=None, metavar="BASES", help=summary)
    summary = "with --stride, or with --bed for a model of sequences: bases of a window (those of training)"
    predict.add_argument("--width", type=_whole(1, MOST_BASES), default=None, help=summary)
    summary = "with --stride: share of N above which a window is left out (0.1)"
    predict.add_argument("--max-unknown", type=_share, default=None, help=summary)
    summary = "FASTA headers such as chrX:100-200 are places in the genome (without it they are names like others)"
    predict.add_argument("--regions", action="store_true", help=summary)
    predict.add_argument("--head", default=None, help="head of a model of tracks (the first)")
    summary = "these tracks, or with --stride classes, only"
    predict.add_argument("--tracks", type=_names, default=None, metavar="NAMES", help=summary)
    _batch(predict)
    _both_strands(predict)
    _mpi(predict)
    _overwrite(predict, "replace the output file")

    variants = _verb(verbs, "variants", "what variants do, as a model of any kind sees it: a table, or VCF with INFO")
    _checkpoint(variants)
    summary = "FASTA, plain or bgzip (small ones also gzip); short elements do as well"
    variants.add_argument("genome", type=Path, metavar="GENOME", help=summary)
    summary = "VCF, or TSV with chrom, pos (counted from 1), ref, alt"
    variants.add_argument("variants", type=Path, nargs="?", default=None, metavar="VARIANTS", help=summary)
    summary = "one variant, as chr22:36201698:A>C; often"
    variants.add_argument("--variant", action="append", default=[], metavar="CHROM:POS:REF>ALT", help=summary)
    summary = "NAME.tsv[.gz], or NAME.vcf[.gz] with one allele per line and an index (standard output: TSV)"
    variants.add_argument("-o", "--output", type=Path, default=None, help=summary)
    summary = "bases that the model sees around a variant (those of training)"
    variants.add_argument("--window", type=_whole(1, MOST_BASES), default=None, help=summary)
    summary = "mean over windows moved by so many bases, as 0,-1,1 (0)"
    variants.add_argument("--shifts", type=_shifts, default=[0], metavar="BASES", help=summary)
    summary = "VCF or TSV: every difference gets its quantile among those of these variants"
    variants.add_argument("--background", type=Path, default=None, help=summary)
    summary = "leave out lines whose REF is not that of the genome, and write them to this TSV"
    variants.add_argument("--skip-mismatched", type=Path, default=None, metavar="FILE", help=summary)
    variants.add_argument("--head", default=None, help="head of a model of tracks (the first)")
    variants.add_argument("--tracks", type=_names, default=None, metavar="NAMES", help="these tracks only")
    variants.add_argument("--resume", action="store_true", help="go on with an output that was not finished")
    _batch(variants)
    _both_strands(variants)
    _rename(variants)
    _overwrite(variants, "replace the output files, and forget an unfinished one")

    explain = _verb(verbs, "explain", "why a model of classes, labels or values says so: letters, mutations, attention")
    _checkpoint(explain)
    summary = "FASTA, or CSV/TSV with a column sequence; with --bed the FASTA file of a genome"
    explain.add_argument("input", type=Path, metavar="INPUT", help=summary)
    explain.add_argument("-o", "--output", type=Path, required=True, help="folder to make: index.html, tables, arrays")
    explain.add_argument("--bed", type=Path, default=None, help="these intervals of the genome, with a BigWig")
    summary = "mutagenesis, gradient, integrated or expected (mutagenesis)"
    explain.add_argument("--method", default="mutagenesis", help=summary)
    summary = "class, label or value to explain (the predicted class)"
    explain.add_argument("--target", default=None, help=summary)
    summary = "mutagenesis: keep the motifs of the sequence; without it every mutant is annotated anew"
    explain.add_argument("--hold-motifs", action="store_true", help=summary)
    summary = "integrated, expected: places where the gradient is taken (64)"
    explain.add_argument("--steps", type=_whole(1, MOST_ROWS), default=64, help=summary)
    summary = "expected: shuffles of every sequence that keep its dinucleotides (16)"
    explain.add_argument("--references", type=_whole(1, MOST_ROWS), default=16, help=summary)
    summary = "sequences per call of the model (64)"
    explain.add_argument("--batch-size", type=_whole(1, MOST_ROWS), default=64, help=summary)
    _overwrite(explain, "replace the folder of an earlier explanation")

    evaluate = _verb(verbs, "evaluate", "metrics of a checkpoint on held-out data")
    _checkpoint(evaluate)
    summary = "CSV/TSV with the columns of training, or a TOML file whose [data] is used (the held-out data of the run)"
    evaluate.add_argument("input", type=Path, nargs="?", default=None, metavar="DATA", help=summary)
    evaluate.add_argument("--html", type=Path, default=None, metavar="PAGE", help="also draw a page of the answers")
    _overwrite(evaluate, "replace the page")
    _batch(evaluate)
    _both_strands(evaluate)

    generate = _verb(verbs, "generate", "new sequences from a language model, as FASTA")
    _checkpoint(generate)
    generate.add_argument("--prompt", default="", help="bases to go on from (none)")
    generate.add_argument("--length", type=_whole(1, MOST_BASES), default=500, help="new bases of each sequence (500)")
    generate.add_argument("--n", type=_whole(1, MOST_ROWS), default=1, help="sequences (1)")
    summary = "below 1 plays safe, 0 never draws (1)"
    generate.add_argument("--temperature", type=_temperature, default=1.0, help=summary)
    generate.add_argument("--top-k", type=_whole(1, 4), default=4, help="of the 4 bases only the K likeliest (4)")
    generate.add_argument("-o", "--output", type=Path, default=None, help="FASTA(.gz) to write (standard output)")
    _overwrite(generate, "replace the output file")

    annotate = _verb(verbs, "annotate", "motifs, CpG islands and AT-rich stretches of a FASTA file, as BED")
    annotate.add_argument("input", type=Path, metavar="INPUT", help=FASTA_INPUT)
    annotate.add_argument("-o", "--output", type=Path, default=None, help="BED(.gz) to write (standard output)")
    annotate.add_argument("--tbi", action="store_true", help="also write the index OUTPUT.tbi of a BED.gz, for tabix")
    annotate.add_argument("--bigwig", type=Path, default=None, help="also write the share of bases in motifs, per bin")
    annotate.add_argument("--bin-bp", type=_whole(1, MOST_BASES), default=100, help="bases of a bin of --bigwig (100)")
    _vocabulary(annotate)
    _processes(annotate)
    _mpi(annotate)
    _overwrite(annotate, "replace the output files")

    motifs = _verb(verbs, "motifs", "a motif vocabulary from JASPAR names, or from a file of MEME, JASPAR or HOMER")
    motifs.add_argument("--jaspar", type=_names, default=None, metavar="NAMES", help="factors or ids: CTCF,SP1,TBP")
    summary = "motif file (- is standard input); all of it, or those of --jaspar"
    motifs.add_argument("--file", type=Path, default=None, help=summary)
    motifs.add_argument("--release", default="JASPAR2024", help="release that names are looked up in (JASPAR2024)")
    motifs.add_argument("--tax-group", default="vertebrates", help="vertebrates, plants, fungi, insects ...")
    motifs.add_argument("--pvalue", type=_chance, default=1e-4, help="chance of a hit per position and strand (1e-4)")
    summary = "leave out motifs whose best word is more frequent than --pvalue, instead of an error"
    motifs.add_argument("--skip-short", action="store_true", help=summary)
    summary = "the K-th of N equal parts of the file; a vocabulary holds 255 motifs"
    motifs.add_argument("--part", type=_part, default=None, metavar="K/N", help=summary)
    motifs.add_argument("--with-default", action="store_true", help="add the classes of the default vocabulary")
    motifs.add_argument("-o", "--output", type=Path, default=None, help="TOML to write (standard output)")
    _overwrite(motifs, "replace the output file")

    extract = _verb(verbs, "extract", "loci of a genome as FASTA, or one-hot as npz")
    extract.add_argument("genome", type=Path, metavar="GENOME", help="FASTA, plain or bgzip (small ones also gzip)")
    extract.add_argument("--locus", action="append", default=[], help="chrom:start-end[:strand], 0-based; often")
    extract.add_argument("--bed", type=Path, default=None, help="BED or narrowPeak with the loci; - is standard input")
    summary = "--bed is narrowPeak, whatever its name; *.narrowPeak is known without it"
    extract.add_argument("--peaks", action="store_true", help=summary)
    extract.add_argument("--one-based", action="store_true", help="--locus counts from 1, as genome browsers do")
    summary = "resize loci around their middle (or summit)"
    extract.add_argument("--width", type=_whole(1, MOST_BASES), default=None, help=summary)
    extract.add_argument("--pad", action="store_true", help="give N outside contigs instead of an error")
    extract.add_argument("-o", "--output", type=Path, required=True, help="*.fa[.gz] or *.npz (N, 4, L), order ACGT")
    _rename(extract)
    _overwrite(extract, "replace the output file")

    dataset = _verb(verbs, "dataset", "peaks of an assay as tables to train on: windows, negatives, parts by contig")
    dataset.add_argument("peaks", type=Path, metavar="PEAKS", help="BED or narrowPeak; - is standard input")
    dataset.add_argument("genome", type=Path, metavar="GENOME", help="FASTA, plain or bgzip (small ones also gzip)")
    dataset.add_argument("-o", "--output", type=Path, required=True, help="folder to make")
    summary = "bases of each window, around the summit or the middle of its peak (200)"
    dataset.add_argument("--width", type=_whole(1, MOST_BASES), default=200, help=summary)
    summary = "gc (random windows of the same GC content), shuffle (the same dinucleotides), or a BED file (gc)"
    dataset.add_argument("--negatives", type=_negatives, default="gc", metavar="KIND", help=summary)
    summary = "negatives for each positive, where they are drawn (1)"
    dataset.add_argument("--ratio", type=_whole(1, 1000), default=None, help=summary)
    for part in ("valid", "test"):
        summary = f"contigs (or with --folds folds) of {part}.csv; without any, contigs with a tenth of the peaks"
        dataset.add_argument(f"--{part}", type=_names, default=[], metavar="NAMES", help=summary)
    dataset.add_argument("--folds", type=Path, default=None, help="BED4 whose fourth column names folds")
    dataset.add_argument("--exclude", type=Path, default=None, help="BED of places to leave out, such as a blacklist")
    summary = "share of N that a window may have (0)"
    dataset.add_argument("--max-unknown", type=_share, default=0.0, help=summary)
    summary = "PEAKS is narrowPeak, whatever its name; *.narrowPeak is known without it"
    dataset.add_argument("--narrow-peak", action="store_true", help=summary)
    summary = "records of GENOME named chrX:100-200 are places in the genome"
    dataset.add_argument("--regions", action="store_true", help=summary)
    _rename(dataset)
    _mpi(dataset)
    _overwrite(dataset, "replace the folder of an earlier data set")

    preprocess = _verb(verbs, "preprocess", "encode and annotate a genome once, into files that are mapped into memory")
    preprocess.add_argument("genome", type=Path, metavar="GENOME", help=FASTA_INPUT)
    preprocess.add_argument("-o", "--output", type=Path, required=True, help="folder to make")
    preprocess.add_argument("--no-motifs", action="store_true", help="encode only")
    _vocabulary(preprocess)
    _processes(preprocess)
    _overwrite(preprocess, "replace the folder of an earlier run")

    bench = _verb(verbs, "bench", "how fast the CPU kernels are here, or with --tune, which sizes make them fastest")
    bench.add_argument("--tune", action="store_true", help="measure all sizes for some minutes, keep the fastest")
    bench.add_argument("--d", type=_widths, default=[64], metavar="64[,32,128]", help="head widths to measure (64)")

    _verb(verbs, "doctor", "devices, compilers and optional packages: what is here, what is used, what to install")
    return top


def _verb(verbs: argparse._SubParsersAction[Parser], name: str, summary: str) -> Parser:
    verb = verbs.add_parser(
        name, help=summary, description=summary[0].upper() + summary[1:] + ".", allow_abbrev=False
    )
    verb.add_argument("--json", action="store_true", help="one JSON object on standard output, nothing else")
    verb.add_argument("--seed", type=_whole(0, MOST_SEED), default=None, help="seed of weights and order")
    verb.add_argument("--device", default=None, help="CPU, CUDA, METAL, AMD, CL ... (the best one that works)")
    verb.add_argument("--threads", type=_whole(1, MOST_CORES), default=None, help="CPU cores for kernels (all)")
    return verb


def _training(verb: Parser) -> None:
    verb.add_argument("-o", "--output", type=Path, default=None, help="folder of the run (runs/NAME of the TOML file)")
    verb.add_argument("--resume", action="store_true", help="go on with an interrupted run, or begin where none is")
    summary = "go on from this checkpoint of the run instead of the newest one"
    verb.add_argument("--from", dest="from_checkpoint", default=None, metavar="step_00000800", help=summary)
    _overwrite(verb, "replace an earlier run")
    summary = "tell the data, warnings, time and memory of the run from a few steps of it; nothing is written"
    verb.add_argument("--dry-run", action="store_true", help=summary)
    verb.add_argument("--devices", default=None, metavar="CUDA:all", help="share batches out: CUDA:all, CUDA:0,CUDA:1")
    _mpi(verb)


def _mpi(verb: Parser) -> None:
    verb.add_argument("--mpi", action="store_true", help="one of several processes, where mpiexec leaves no trace")


def _checkpoint(verb: Parser) -> None:
    verb.add_argument("checkpoint", type=Path, metavar="CKPT", help="folder with model.safetensors and config.json")


def _batch(verb: Parser) -> None:
    summary = "sequences per call of the model (128)"
    verb.add_argument("--batch-size", type=_whole(1, MOST_ROWS), default=128, help=summary)


def _both_strands(verb: Parser) -> None:
    summary = "the mean over a sequence and its reverse complement; twice the time"
    verb.add_argument("--both-strands", action="store_true", help=summary)


def _vocabulary(verb: Parser) -> None:
    names = ("--vocab", "--vocabulary")
    verb.add_argument(*names, dest="vocabulary", type=Path, default=None, help="vocabulary in TOML (the default one)")


def _processes(verb: Parser) -> None:
    summary = "processes (one per core for large files)"
    verb.add_argument("--processes", type=_whole(1, MOST_CORES), default=None, help=summary)


def _rename(verb: Parser) -> None:
    summary = "names of contigs in the genome; auto: 22 is chr22"
    verb.add_argument("--rename", type=_renamed, default=None, metavar="A=B,...", help=summary)


def _overwrite(verb: Parser, summary: str) -> None:
    verb.add_argument("--overwrite", action="store_true", help=summary)


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"expected names separated by commas, got {text!r}")
    return names


def _renamed(text: str) -> str | dict[str, str]:
    if text == "auto":
        return text
    pairs = [pair.partition("=") for pair in text.split(",")]
    if not all(old and new for old, _, new in pairs):
        raise argparse.ArgumentTypeError(f"expected auto or NAME=NEW,..., got {text!r}")
    return {old: new for old, _, new in pairs}


def _part(text: str) -> tuple[int, int]:
    k, _, n = text.partition("/")
    if not (len(text) <= 12 and text.isascii() and k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n)):
        raise argparse.ArgumentTypeError(f"expected K/N with K from 1 to N, for example 1/4, got {_short(text)}")
    return int(k), int(n)


def _shifts(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not text.isascii() or not all(p.removeprefix("-").isdecimal() and len(p) <= 9 for p in parts):
        raise argparse.ArgumentTypeError(f"expected whole numbers of bases, as 0,-1,1, got {_short(text)}")
    return [int(part) for part in parts]


def _widths(text: str) -> list[int]:
    parts = text.split(",")
    if not text.isascii() or not all(p.isdecimal() and len(p) <= 3 and 8 <= int(p) <= 256 for p in parts):
        raise argparse.ArgumentTypeError(f"expected widths from 8 to 256, as 32,64, got {_short(text)}")
    return [int(part) for part in parts]


def _whole(least: int, most: int) -> Callable[[str], int]:
    """Reads a whole number of a range."""

    def read(text: str) -> int:
        # int() takes time that grows with the square of the digits, so a text of a million of them is not tried
        is_whole = text.isdecimal() and text.isascii() and len(text) <= len(str(most))
        if not is_whole or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(
                f"expected a whole number of at least {least} and at most {most}, got {_short(text)}"
            )
        return int(text)

    return read


def _temperature(text: str) -> float:
    return _number(text, "0 or a number from 1e-3 to 1e3", lambda x: x == 0 or 1e-3 <= x <= 1e3)


def _negatives(text: str) -> str | Path:
    return text if text in ("gc", "shuffle") else Path(text)


def _share(text: str) -> float:
    return _number(text, "a number from 0 to 1", lambda x: 0 <= x <= 1)


def _chance(text: str) -> float:
    return _number(text, "a number above 0 and below 1", lambda x: 0 < x < 1)


def _number(text: str, wanted: str, holds: Callable[[float], bool]) -> float:
    try:
        # float() also reads digits of other scripts and 1_000, which elsewhere are no numbers
        value = float(text) if text.isascii() and "_" not in text else float("nan")
    except ValueError:
        value = float("nan")
    if not holds(value):
        raise argparse.ArgumentTypeError(f"expected {wanted}, got {_short(text)}")
    return value


def _short(text: str) -> str:
    """What came, in quotes; as much of it as a message has room for."""
    return repr(text) if len(text) <= 40 else repr(text[:37]) + "..."
