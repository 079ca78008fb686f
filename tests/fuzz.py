"""Damaged files for every reader: random bytes, letters of the format in disorder, real files with changed bytes.

    python tests/fuzz.py 10000      as many inputs for each reader; the suite runs fewer
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import re
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from gattn_tg.data import EncodedGenome, read_folds
from gattn_tg.errors import GattnError
from gattn_tg.explain.drawings.curves import Told, curves_page
from gattn_tg.io import (
    BigWig,
    Genome,
    Vcf,
    read_bed,
    read_fasta,
    read_gtf,
    read_labelled,
    read_matrices,
    read_peaks,
    stream_fasta,
    write_bigwig,
)
from gattn_tg.models import checkpoint
from gattn_tg.models.classifier import ClassifierConfig, SequenceClassifier
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.motif import MotifVocabulary
from gattn_tg.score.sequences import read as read_sequences
from gattn_tg.seq import Interval, Variant
from gattn_tg.training.keep.journal import Journal
from gattn_tg.training.keep.state import read_state

VCF_TEXT = (
    "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    "chr1\t2\trs1\tC\tT,<DEL>,*\t50\tPASS\tAC=1\nchr1\t5\t.\tAC\tA\t.\t.\t.\n"
)
VOCABULARY = MotifVocabulary(MotifVocabulary.default().classes[:2]).to_toml()
MEME_TEXT = (
    "MEME version 4\n\nALPHABET= ACGT\n\nMOTIF a b\nletter-probability matrix: alength= 4 w= 2 nsites= 20 E= 0\n"
    "0.2 0.8 0 0\n0.95 0 0.05 0\n"
)


JOURNAL = (
    '{"kind": "train", "step": 1, "epoch": 0.5, "loss": 0.7, "learning_rate": 0.1, "examples_per_s": null}\n'
    '{"kind": "valid", "step": 2, "metrics": {"loss": 0.5, "auc": 0.75, "n": 9.0}, "is_best": true, "seconds": 1}\n'
)
ENCODED = '{"format": "gattn_tg encoded genome 1", "contigs": [["c", 5]], "vocabulary": null}'
MEMORY = 1 << 30  # bytes that a damaged input may make a reader take


def drained(items: Iterable[object]) -> None:
    for _ in items:
        pass


def genome(path: Path) -> None:
    path.with_name(path.name + ".fai").unlink(missing_ok=True)
    with Genome(path) as opened:
        for name, size in opened.sizes.items():
            opened.fetch(Interval(name, 0, min(size, 50)))
            opened.padded(Interval(name, size - 3, size + 3))


def indexed(path: Path) -> None:
    fasta = path.with_name("indexed.fa")
    fasta.write_text(">chr1 x\nACGTNacgt\nACG\n>chr2\nGGGG\n")
    os.utime(fasta, (1, 1))  # older than its index, which then is not made anew
    with Genome(fasta, index=path) as opened:
        for name, size in opened.sizes.items():
            opened.padded(Interval(name, 0, min(size, 50)))


def bigwig(path: Path) -> None:
    path = path.replace(path.with_suffix(".bw"))
    with BigWig(path) as opened:
        for name, size in opened.sizes.items():
            opened.values(Interval(name, 0, min(size, 50)))


def encoded(path: Path) -> None:
    """A genome whose genome.json is damaged, with the files that the good one describes."""
    folder = path.with_name("encoded")
    folder.mkdir(exist_ok=True)
    path.replace(folder / "genome.json")
    (folder / "bases.u8").write_bytes(bytes([0, 1, 2, 3, 4]))
    windows(EncodedGenome(folder))


def encoded_bases(path: Path) -> None:
    """A genome whose bases are damaged."""
    folder = path.with_name("encoded bases")
    folder.mkdir(exist_ok=True)
    path.replace(folder / "bases.u8")
    size = (folder / "bases.u8").stat().st_size
    (folder / "genome.json").write_text(ENCODED.replace("5", str(max(size, 1))))
    windows(EncodedGenome(folder))


def windows(genome: EncodedGenome) -> None:
    for name, size in genome.sizes.items():
        bases, motif_ids = genome.windows([Interval(name, -2, 3), Interval(name, size - 3, size + 2)], 5)
        assert max(int(bases.max()), int(motif_ids.max())) <= 4


@cache
def small_checkpoint() -> tuple[bytes, bytes]:
    """config.json and model.safetensors of a small model."""
    with tempfile.TemporaryDirectory() as folder:
        model = SequenceClassifier(ClassifierConfig(n_classes=2, width=4, n_layers=1, n_heads=1, motif="pair"))
        vocabulary = MotifVocabulary.from_toml(VOCABULARY)
        home = checkpoint.save(model, Path(folder) / "c", readout=ClassReadout(labels=("no", "yes")),
                               vocabulary=vocabulary)
        return (home / checkpoint.CONFIG).read_bytes(), (home / checkpoint.WEIGHTS).read_bytes()


def model_config(path: Path) -> None:
    """A checkpoint whose config.json is damaged; numbers in it become huge, and types others."""
    load_with(path, path.read_bytes(), small_checkpoint()[1])


def model_weights(path: Path) -> None:
    """A checkpoint whose weights are damaged, with the digest that belongs to them."""
    weights = path.read_bytes()
    config = json.loads(small_checkpoint()[0]) | {"weights_sha256": hashlib.sha256(weights).hexdigest()}
    config.pop(checkpoint.DIGEST)
    load_with(path, json.dumps(config).encode(), weights)


def load_with(path: Path, config: bytes, weights: bytes) -> None:
    folder = path.with_name("checkpoint")
    folder.mkdir(exist_ok=True)
    (folder / checkpoint.CONFIG).write_bytes(config)
    (folder / checkpoint.WEIGHTS).write_bytes(weights)
    checkpoint.load(folder)


def state(path: Path) -> None:
    folder = path.with_name("state")
    folder.mkdir(exist_ok=True)
    path.replace(folder / "progress.json")
    (folder / "state.safetensors").write_bytes(small_checkpoint()[1])
    read_state(folder)


def journal(path: Path) -> None:
    lines = Journal(path).lines()
    curves_page(lines, Told("x", "x", 1, "auc", 2, 1.0))
    Journal(path).forget_after(1)


def variant(path: Path) -> None:
    Variant.parse(path.read_bytes().decode("latin-1"))


def interval(path: Path) -> None:
    Interval.parse(path.read_bytes().decode("latin-1"), one_based=True)


READERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "read_fasta": (lambda path: drained(read_fasta(path)), ">chr1 x\nACGTNacgt\nACG\n>chr2\nGGGG\n"),
    "stream_fasta": (lambda path: drained(stream_fasta(path, 5)), ">chr1 x\nACGTNacgt\nACG\n>chr2\nGGGG\n"),
    "Genome": (genome, ">chr1 x\nACGTNacgt\nACG\n>chr2\nGGGG\n"),
    "index of a Genome": (indexed, "chr1\t12\t8\t9\t10\nchr2\t4\t28\t4\t5\n"),
    "sequences": (lambda path: drained(read_sequences(path)), "name,sequence\na,ACGTNacgt\n,ACG\n"),
    "Vcf": (lambda path: drained(Vcf(path, symbolic="skip")), VCF_TEXT),
    "read_bed": (lambda path: drained(read_bed(path)), "track x\nchr1\t5\t9\ta\t7.5\t-\nchr1 5 9\n"),
    "read_peaks": (lambda path: drained(read_peaks(path)), "chr1\t5\t9\tp\t631\t.\t11.9\t-1\t2.7\t3\n" * 2),
    "read_gtf": (lambda path: drained(read_gtf(path)), '#x\nchr1\tx\texon\t3\t9\t.\t-\t.\tgene_id "G;1"; n 2;\n' * 2),
    "read_matrices of MEME": (read_matrices, MEME_TEXT),
    "read_matrices of MEME without w=": (read_matrices, MEME_TEXT.replace(" w= 2 nsites= 20", "")),
    "read_matrices of HOMER": (read_matrices, ">ACG\tx(y)/z\t6.0\t-1.7e3\n0.97 0.01 0.01 0.01\n0.01 0.97 0.01 0.01\n"),
    "read_matrices of HOCOMOCO": (read_matrices, ">X_HUMAN.H11\n4.5\t1.5\t2\t2\n0\t0\t9\t1\n1\t2\t3\t4\n"),
    "read_matrices of JASPAR": (read_matrices, ">a b\nA [ 4 19 ]\nC [16  0 ]\nG [ 0 1 ]\nT [ 0 0 ]\n"),
    "read_labelled": (read_labelled, 'sequence,label\nACGT,1\n"AC",0\n'),
    "read_folds": (read_folds, "chr1\t5\t9\tfold0\nchr2\t5\t9\tfold1\n"),
    "MotifVocabulary.from_toml": (MotifVocabulary.from_toml, VOCABULARY),
    "EncodedGenome": (encoded, ENCODED),
    "EncodedGenome, bases": (encoded_bases, "\0\1\2\3\4\0\1\2\3\4"),
    "BigWig": (bigwig, "made by `attack`"),
    "checkpoint, config.json": (model_config, "made by `attack`"),
    "checkpoint, weights": (model_weights, "made by `attack`"),
    "progress.json": (state, '{"step": 3, "best": [0.5, null], "loss_sum": 0.25, "fingerprint": "a"}'),
    "metrics.jsonl": (journal, JOURNAL),
    "Variant.parse": (variant, "chr22:36,201,698:A>C"),
    "Interval.parse": (interval, "chr7:117,559,590-117,559,600:+"),
}


@contextmanager
def little_memory() -> Iterator[None]:
    """Memory is limited to what is in use and `MEMORY` more, where the system can do that."""
    if sys.platform != "linux":
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


VALUE = re.compile(rb'(?<=: )-?[0-9]+(\.[0-9]+)?|(?<=: )"[^"]*"|(?<=[\[ ])-?[0-9]+|(?<=:)\[|(?<=,)[0-9]+')
ODD = [
    b"65536", b"2147483647", b"-1", b"0", b"3", b"16", b"1.5", b"1e999", b"NaN", b"9" * 30, b"9" * 5000, b"true",
    b"null", b'"x"', b'"\\ud800"', b'"' + b"x" * 99 + b'"', b"[]", b"[1, 2]", b"[" * 9999, b"{}",
]  # fmt: skip


def grown(rng: random.Random, good: bytes) -> bytes:
    """The good text with a number, or another value after a colon, exchanged for one that nobody expects."""
    if not (places := [*VALUE.finditer(good)]):
        return good
    at = rng.choice(places)
    return good[: at.start()] + rng.choice(ODD) + good[at.end() :]


def damaged(rng: random.Random, good: bytes) -> bytes:
    """One input: bytes of any kind, letters of the format in any order, or the good file with some changes."""
    kind = rng.randrange(5)
    if kind == 4:
        return grown(rng, good)
    if kind == 0:
        made = rng.randbytes(rng.randrange(120))
    elif kind == 1:
        made = bytes(rng.choice(good) for _ in range(rng.randrange(150)))
    else:
        changed = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(changed) + 1)
            change = rng.randrange(4)
            if change == 0:
                changed[at:at] = rng.randbytes(rng.randint(1, 3))
            elif change == 1:
                del changed[at : at + rng.randint(1, 9)]
            elif change == 2:
                changed[at : at + 1] = bytes([rng.choice(good)])
            else:
                changed[at:at] = changed[rng.randrange(len(changed) + 1) :][:20]
        made = bytes(changed)
    pack = rng.randrange(12)
    if pack == 0:
        packed = bytearray(gzip.compress(made, 1, mtime=0))
        if rng.random() < 0.5:
            packed[rng.randrange(len(packed))] ^= 1 << rng.randrange(8)
        made = bytes(packed[: rng.randint(1, len(packed))] if rng.random() < 0.3 else packed)
    elif pack == 1:
        made = rng.choice([b"\x1f\x8b", b"\xef\xbb\xbf", b"\xff\xfe", b"PK\x03\x04"]) + made
    return made


def attack(name: str, n: int, folder: Path, seed: int = 0) -> Counter[str]:
    """Give a reader `n` damaged inputs and count what came of them; anything but our errors comes through."""
    read, text = READERS[name]
    good = text.encode("latin-1")
    if read is bigwig:
        write_bigwig(folder / "x.bw", {"b": 100, "a": 50}, [("b", k, k + 1, k / 7) for k in range(90)], overwrite=True)
        good = (folder / "x.bw").read_bytes()
    if read in (model_config, model_weights):
        good = small_checkpoint()[read is model_weights]
    rng = random.Random(f"{seed} {name}")
    path = folder / "x.fa"
    outcome: Counter[str] = Counter()
    for _ in range(n):
        path.write_bytes(data := damaged(rng, good))
        try:
            with little_memory():
                read(path)
            outcome["read"] += 1
        except GattnError as error:
            if len(str(error)) > 2000 or not str(error):
                raise AssertionError(f"{name}: a message of {len(str(error))} characters for {data!r}") from error
            outcome[type(error).__name__] += 1
        except Exception as error:
            raise AssertionError(f"{name}: {type(error).__name__} for {data!r}") from error
    return outcome


def main() -> None:
    n = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        for name in READERS if len(sys.argv) < 3 else sys.argv[2:]:
            print(f"{name:<26} {n:>7,} inputs", dict(attack(name, n, Path(folder)).most_common()), flush=True)


if __name__ == "__main__":
    main()
