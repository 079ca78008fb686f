"""Options of the verbs that ask a trained model."""

from __future__ import annotations

from pathlib import Path

from gattn_tg.cli.arguments import parse, shared


def predict(verbs: shared.Verbs) -> None:
    """The options of `gattn predict`."""
    verb = shared.verb(verbs, "predict", "classes of sequences as TSV; values along a genome as BigWig, TSV or npz")
    shared.checkpoint(verb)
    summary = (
        "FASTA; CSV/TSV with a column sequence (and name), or BAM with methylation, for classes; a folder of "
        "`gattn preprocess`, for tracks and sites; - is standard input"
    )
    verb.add_argument("input", type=Path, metavar="INPUT", help=summary)
    summary = (
        "TSV to write (standard output); along a genome NAME.bw, NAME.tsv, NAME.bedgraph, NAME.npz or a folder of "
        "BigWig files"
    )
    verb.add_argument("-o", "--output", type=Path, default=None, help=summary)
    verb.add_argument(
        "--bed",
        type=Path,
        default=None,
        help="along a genome: in these intervals only; for a "
        "model of sequences without --stride: the window around each, one line of the table",
    )
    summary = "models of sparse sites: BED of the sites that are wanted, with their names (all that the model finds)"
    verb.add_argument("--sites", type=Path, default=None, metavar="BED", help=summary)
    summary = (
        "classes all along a genome: a window every BASES; the bin [s, s+BASES) gets what the model says of the window "
        "around s + BASES//2, of two classes in one BigWig the second"
    )
    verb.add_argument("--stride", type=parse.whole(1, parse.MOST_BASES), default=None, metavar="BASES", help=summary)
    summary = "with --stride, or with --bed for a model of sequences: bases of a window (those of training)"
    verb.add_argument("--width", type=parse.whole(1, parse.MOST_BASES), default=None, help=summary)
    summary = "with --stride: share of N above which a window is left out (0.1)"
    verb.add_argument("--max-unknown", type=parse.share, default=None, help=summary)
    summary = "FASTA headers such as chrX:100-200 are places in the genome (without it they are names like others)"
    verb.add_argument("--regions", action="store_true", help=summary)
    verb.add_argument("--head", default=None, help="head of a model of tracks (the first)")
    summary = "these tracks, or with --stride classes, only"
    verb.add_argument("--tracks", type=parse.names, default=None, metavar="NAMES", help=summary)
    shared.batch(verb)
    shared.both_strands(verb)
    shared.precision(verb)
    shared.mpi(verb)
    shared.overwrite(verb, "replace the output file")


def variants(verbs: shared.Verbs) -> None:
    """The options of `gattn variants`."""
    verb = shared.verb(verbs, "variants", "what variants do, as a model of any kind sees it: a table, or VCF with INFO")
    shared.checkpoint(verb)
    summary = "FASTA, plain or bgzip (small ones also gzip); short elements do as well"
    verb.add_argument("genome", type=Path, metavar="GENOME", help=summary)
    summary = "VCF, or TSV with chrom, pos (counted from 1), ref, alt"
    verb.add_argument("variants", type=Path, nargs="?", default=None, metavar="VARIANTS", help=summary)
    summary = "one variant, as chr22:36201698:A>C; often"
    verb.add_argument("--variant", action="append", default=[], metavar="CHROM:POS:REF>ALT", help=summary)
    summary = "NAME.tsv[.gz], or NAME.vcf[.gz] with one allele per line and an index (standard output: TSV)"
    verb.add_argument("-o", "--output", type=Path, default=None, help=summary)
    summary = "bases that the model sees around a variant (those of training)"
    verb.add_argument("--window", type=parse.whole(1, parse.MOST_BASES), default=None, help=summary)
    summary = "mean over windows moved by so many bases, as 0,-1,1 (0)"
    verb.add_argument("--shifts", type=parse.shifts, default=[0], metavar="BASES", help=summary)
    summary = "VCF or TSV: every difference gets its quantile among those of these variants"
    verb.add_argument("--background", type=Path, default=None, help=summary)
    summary = "leave out lines whose REF is not that of the genome, and write them to this TSV"
    verb.add_argument("--skip-mismatched", type=Path, default=None, metavar="FILE", help=summary)
    verb.add_argument("--head", default=None, help="head of a model of tracks (the first)")
    verb.add_argument("--tracks", type=parse.names, default=None, metavar="NAMES", help="these tracks only")
    verb.add_argument("--resume", action="store_true", help="go on with an output that was not finished")
    shared.batch(verb)
    shared.both_strands(verb)
    shared.precision(verb)
    shared.rename(verb)
    shared.mpi(verb)
    shared.overwrite(verb, "replace the output files, and forget an unfinished one")


def explain(verbs: shared.Verbs) -> None:
    """The options of `gattn explain`."""
    verb = shared.verb(
        verbs, "explain", "why a model says so, or predicts a base or tracks: letters, mutations, attention"
    )
    shared.checkpoint(verb)
    summary = "FASTA, or CSV/TSV with a column sequence; with --bed the FASTA file of a genome"
    verb.add_argument("input", type=Path, metavar="INPUT", help=summary)
    verb.add_argument("-o", "--output", type=Path, required=True, help="folder to make: index.html, tables, arrays")
    verb.add_argument("--bed", type=Path, default=None, help="these intervals of the genome, with a BigWig")
    summary = "mutagenesis, gradient, integrated or expected (mutagenesis; of tracks and sites gradient)"
    verb.add_argument("--method", default=None, help=summary)
    summary = (
        "class, label, value, base or track to explain (the predicted class, the base that is there, the sum of the "
        "tracks; with --insert and --remove of two classes the second)"
    )
    verb.add_argument("--target", default=None, help=summary)
    summary = (
        "base whose answer is explained, counted from 0, or of tracks and sites the bases START-END of a sequence or "
        "place (language models: the last; masked ones: the middle; tracks and sites: all)"
    )
    verb.add_argument("--at", type=parse.stretch, default=None, metavar="BASE", help=summary)
    summary = "mutagenesis: only these bases are changed (all)"
    verb.add_argument("--stretch", type=parse.stretch, default=None, metavar="START-END", help=summary)
    verb.add_argument("--head", default=None, help="head of a model of tracks (the first)")
    summary = "mutagenesis: keep the motifs of the sequence; without it every mutant is annotated anew"
    verb.add_argument("--hold-motifs", action="store_true", help=summary)
    summary = "integrated, expected: places where the gradient is taken (64)"
    verb.add_argument("--steps", type=parse.whole(1, parse.MOST_ROWS), default=None, help=summary)
    summary = "expected: shuffles of every sequence that keep its dinucleotides (16)"
    verb.add_argument("--references", type=parse.whole(1, parse.MOST_ROWS), default=None, help=summary)
    summary = "sequences per call of the model (64)"
    verb.add_argument("--batch-size", type=parse.whole(1, parse.MOST_ROWS), default=64, help=summary)
    shared.both_strands(verb)
    shared.precision(verb)
    motifs(verb)
    shared.overwrite(verb, "replace the folder of an earlier explanation")


def motifs(verb: shared.Parser) -> None:
    """The options of `gattn explain` that put motifs into sequences and take them out."""
    summary = (
        "put motifs into the sequences of INPUT, each alone, and tell what they do: names of the vocabulary or of "
        "JASPAR, or words of ACGT"
    )
    verb.add_argument("--insert", type=parse.names, default=None, metavar="NAMES", help=summary)
    summary = "take motifs out of the sequences of INPUT, and tell what is missing"
    verb.add_argument("--remove", type=parse.names, default=None, metavar="NAMES", help=summary)
    summary = "--insert: first bases of the motif, as 0,20,40 or 0:100:20 (the middle)"
    verb.add_argument("--positions", type=parse.places, default=None, metavar="BASES", help=summary)
    summary = "--insert of two motifs: both together, with so many bases between them, as 0,5,10 or 0:60:5"
    verb.add_argument("--distances", type=parse.places, default=None, metavar="BASES", help=summary)
    summary = "--insert: + or - in place of both strands"
    verb.add_argument("--strands", choices=("+", "-", "+-"), default=None, help=summary)
    summary = "--insert: a word drawn from the motif for each sequence, in place of the likeliest word"
    verb.add_argument("--sampled", action="store_true", help=summary)
    summary = "--insert: shuffle the sequences before, so that their dinucleotides stay"
    verb.add_argument("--shuffle", action="store_true", help=summary)
    summary = "--remove: shuffles of every sequence that give the bases in place of the motif (8)"
    verb.add_argument("--shuffles", type=parse.whole(1, parse.MOST_ROWS), default=None, help=summary)
    summary = "--insert, --remove: file of motif matrices in place of JASPAR"
    verb.add_argument("--motifs", type=Path, default=None, metavar="FILE", help=summary)


def discover(verbs: shared.Verbs) -> None:
    """The options of `gattn discover`."""
    summary = "which motifs and positions tell two groups of held-out sequences apart, with false discovery rates"
    verb = shared.verb(verbs, "discover", summary)
    summary = "folders of checkpoints: one, or several of the same task, as of several seeds"
    verb.add_argument("checkpoints", type=Path, nargs="+", metavar="CKPT", help=summary)
    summary = "FASTA, or CSV/TSV with a column sequence; none that a checkpoint has learnt from"
    verb.add_argument("positives", type=Path, metavar="POSITIVES", help=summary)
    verb.add_argument("negatives", type=Path, metavar="NEGATIVES", help="the same; none of the positives")
    summary = "folder to make: index.html, motifs.tsv, positions.tsv"
    verb.add_argument("-o", "--output", type=Path, required=True, help=summary)
    summary = "file of motif matrices to look for beside the vocabulary of the model"
    verb.add_argument("--motifs", type=Path, default=None, metavar="FILE", help=summary)
    summary = "class, label or value (the only one, or of two classes the second)"
    verb.add_argument("--target", default=None, help=summary)
    summary = (
        "contributions of bases: gradient, integrated, expected or mutagenesis (gradient; mutagenesis for models that "
        "count words, which have no gradients of bases)"
    )
    verb.add_argument("--method", default=None, help=summary)
    summary = "sequences that a motif is put into or taken out of, at most (64)"
    verb.add_argument("--backgrounds", type=parse.whole(2, parse.MOST_ROWS), default=64, help=summary)
    summary = "shuffles of every sequence that a motif is taken out of, and sites put into every background (4)"
    verb.add_argument("--shuffles", type=parse.whole(1, parse.MOST_ROWS), default=4, help=summary)
    summary = "sequences per call of the model (64)"
    verb.add_argument("--batch-size", type=parse.whole(1, parse.MOST_ROWS), default=64, help=summary)
    shared.both_strands(verb)
    shared.overwrite(verb, "replace the folder of an earlier search")


def generate(verbs: shared.Verbs) -> None:
    """The options of `gattn generate`."""
    verb = shared.verb(verbs, "generate", "new sequences from a language model, as FASTA")
    shared.checkpoint(verb)
    verb.add_argument("--prompt", default="", help="bases to go on from (none)")
    verb.add_argument(
        "--length", type=parse.whole(1, parse.MOST_BASES), default=500, help="new bases of each sequence (500)"
    )
    verb.add_argument("--n", type=parse.whole(1, parse.MOST_ROWS), default=1, help="sequences (1)")
    summary = "below 1 plays safe, 0 never draws (1)"
    verb.add_argument("--temperature", type=parse.temperature, default=1.0, help=summary)
    verb.add_argument("--top-k", type=parse.whole(1, 4), default=4, help="of the 4 bases only the K likeliest (4)")
    verb.add_argument("-o", "--output", type=Path, default=None, help="FASTA(.gz) to write (standard output)")
    shared.overwrite(verb, "replace the output file")


def embed(verbs: shared.Verbs) -> None:
    """The options of `gattn embed`."""
    verb = shared.verb(verbs, "embed", "hidden vectors of sequences: one per base, per bin, or per sequence")
    shared.checkpoint(verb)
    verb.add_argument("input", type=Path, metavar="INPUT", help="FASTA, or CSV/TSV with a column sequence")
    verb.add_argument("-o", "--output", type=Path, required=True, help="NAME.npz, or a table NAME.tsv[.gz]")
    verb.add_argument("--mean", action="store_true", help="one vector for each sequence: the mean of its vectors")
    summary = "sequences per call of the model (16)"
    verb.add_argument("--batch-size", type=parse.whole(1, parse.MOST_ROWS), default=16, help=summary)
    shared.overwrite(verb, "replace the output file")
