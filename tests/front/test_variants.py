# ruff: noqa: E501 - error texts stand whole, as users meet them
"""Variants asked of a model of every kind: the numbers of a plain loop, both alleles cut from whole contigs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinygrad import Tensor

import gattn_tg
from gattn_tg.cli.main import main
from gattn_tg.errors import ConfigError, CoordinateError, FormatError
from gattn_tg.front.trained import Trained
from gattn_tg.models import checkpoint
from gattn_tg.models.captured.forward import Forward
from gattn_tg.models.kinds import KINDS
from gattn_tg.models.readouts.bases import MaskedReadout, NextBaseReadout, SiteReadout
from gattn_tg.models.readouts.readout import Readout
from gattn_tg.models.readouts.sequences import ClassReadout
from gattn_tg.models.readouts.tracks import TrackHead, TrackReadout
from gattn_tg.motif import MotifVocabulary, annotate, causal_ids
from gattn_tg.score.variants.answers import ANSWERS
from gattn_tg.score.variants.effects import Effects
from gattn_tg.seq import encode
from gattn_tg.seq.strand import reverse_complement

SIZES: dict[str, Any] = {"width": 32, "n_layers": 1, "n_heads": 2, "mlp_ratio": 1, "dropout": 0.0}
VOCABULARY = MotifVocabulary.default()
HEAD = TrackHead(head="human", tracks=("a", "b"), scale=(1.0, 2.0), soft_clip=1.0, window_bp=96)
MODELS: dict[str, tuple[dict[str, Any], Readout, int]] = {
    "SequenceClassifier": ({"n_classes": 3, "max_length": 64, **SIZES}, ClassReadout(labels=("x", "=y", "z")), 64),
    "TrackModel": ({"heads": (("human", 2),), "stem_width": 32, "bin_bp": 8, "crop_bp": 32, "composition_bp": (),
                    **SIZES}, TrackReadout(heads=(HEAD,)), 96),
    "PerBaseModel": (SIZES, SiteReadout(window_bp=64, site_bp=2), 64),
    "GenomicGPT": ({"context": 32, **SIZES}, NextBaseReadout(width=32), 32),
    "MaskedEncoder": ({"k": 2, **SIZES}, MaskedReadout(width=16), 16),
}  # fmt: skip
RNG = np.random.default_rng(5)
LONG = "".join(RNG.choice(list("ACGT"), 300)[:150]) + "TATAAAAGGCGCGCGN" + "".join(RNG.choice(list("ACGT"), 134))
CONTIGS = {"long": LONG, "short": "ACGTATAAAAGCCGCGTTGACATTGCATAACG"}
# places count from 1; the second number is the first base that differs, from 0
CASES = [
    ("long", 101, LONG[100], "".join(b for b in "ACGT" if b != LONG[100])[0], 100),
    ("long", 101, LONG[100], "".join(b for b in "ACGT" if b != LONG[100])[1], 100),
    ("long", 120, LONG[119], LONG[119] + "CGCG", 120),
    ("long", 151, LONG[150:158], LONG[150], 151),
    ("long", 141, LONG[140:143], "".join("ACGT"[(("ACGT".index(b)) + 1) % 4] for b in LONG[140:143]), 140),
    ("long", 295, LONG[294], "".join(b for b in "ACGT" if b != LONG[294])[0], 294),
    ("long", 3, LONG[2:5], LONG[2], 3),
    ("short", 9, "A", "C", 8),
    ("short", 20, "A", "ATTTTTTTT", 20),
]
ROWS = {"TrackModel": 4, "PerBaseModel": 16}  # windows of one call; of the others 32 for so few variants
HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A genome, its variants as VCF with one line of two alleles, and a model of every kind."""
    folder, rng = tmp_path_factory.mktemp("variants"), np.random.default_rng(0)
    (folder / "g.fa").write_text("".join(f">{name} of a genome\n{letters}\n" for name, letters in CONTIGS.items()))
    lines = [f"long\t101\tone;two\t{CASES[0][2]}\t{CASES[0][3]},{CASES[1][3]},<DEL>\t.\t.\t.\n"]
    lines += [f"{chrom}\t{pos}\t.\t{ref.lower()}\t{alt}\t.\t.\tAC=1\tGT\t0/1\n" for chrom, pos, ref, alt, _ in CASES[2:]]
    (folder / "v.vcf").write_text(HEADER + "".join(line.split("\tGT")[0].rstrip() + "\n" for line in (
        lines[5], lines[0], lines[1], lines[3], lines[2], lines[4], *lines[6:])))  # fmt: skip
    for name, (sizes, readout, _) in MODELS.items():
        model = KINDS[name].model(KINDS[name].config.from_dict({**sizes}), seed=1)
        for block in model.blocks:
            block.attention.motif_bias.assign(Tensor(rng.standard_normal(16).astype(np.float32))).realize()
        checkpoint.save(model, folder / name, readout=readout, vocabulary=VOCABULARY)
    return folder


@pytest.fixture(scope="module")
def models(home: Path) -> dict[str, Trained]:
    return {name: gattn_tg.load(home / name) for name in MODELS}


def windows(case: tuple[str, int, str, str, int], width: int, pad: bool) -> list[str]:
    """Both alleles by whole strings: the altered contig is cut where the contig is."""
    chrom, pos, ref, alt, at = case
    contig = CONTIGS[chrom]
    assert contig[pos - 1 : pos - 1 + len(ref)] == ref
    both = [contig, contig[: pos - 1] + alt + contig[pos - 1 + len(ref) :]]
    if pad:
        both, at = [f"{'N' * width}{letters}{'N' * width}" for letters in both], at + width
    start = min(max(at - width // 2, 0), max(len(both[0]) - width, 0))
    return [letters[start : start + width] for letters in both]


class Plain:
    """What the network says of one sequence after the other, in float64, in the numbers that are compared."""

    def __init__(self, model: Trained, width: int) -> None:
        self.kind, self.width, self.rows, net = model.kind, width, ROWS.get(model.kind, 32), model.model
        head = ("human",) if self.kind == "TrackModel" else ()
        self.run = Forward(net, self.rows, None, lambda *inputs: net(*inputs, *head))

    def __call__(self, letters: str) -> np.ndarray:
        n, ids = len(letters), encode(letters.ljust(self.width, "N"))
        if self.kind == "SequenceClassifier":
            z = self.ask(ids, np.int32(n))
            p = np.exp(z) / np.exp(z).sum()
            return np.log(p / (1 - p))
        if self.kind == "TrackModel":
            return HEAD.counts(self.ask(ids).astype(np.float32)).astype(np.float64)
        if self.kind == "PerBaseModel":
            return self.ask(ids)
        if self.kind == "GenomicGPT":
            ids = np.concatenate([[np.uint8(4)], ids]).astype(np.uint8)
            z = self.one(ids, causal_ids(ids, VOCABULARY))[:-1]
            log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
            return np.array(sum(row[b] for row, b in zip(log_p, ids[1:], strict=True) if b < 4))
        total = 0.0
        for i in np.flatnonzero(ids < 4).tolist():
            hidden = ids.copy()
            hidden[i] = 4
            z = self.ask(hidden, np.int32(n), np.array([i], np.int32))[0]
            p = (np.exp(z) / np.exp(z).sum()).reshape(-1, 4).sum(0)
            total += float(np.log(p[ids[i]]))
        return np.array(total)

    def ask(self, ids: np.ndarray, *more: Any) -> np.ndarray:
        return self.one(ids, annotate(ids, VOCABULARY), *more)

    def one(self, *arrays: np.ndarray) -> np.ndarray:
        """The answer to one row, which fills the batch alone: the shape of the kernels that are compiled already."""
        return self.run(*(np.repeat(array[None], self.rows, axis=0) for array in arrays))[0].astype(np.float64)


def differences(kind: str, ref: np.ndarray, alt: np.ndarray, case: tuple[str, int, str, str, int]) -> list[float]:
    """The columns of an effect, one after the other, by their formulas."""
    _, _, old, new, _ = case
    if kind in ("SequenceClassifier", "GenomicGPT", "MaskedEncoder"):
        return [float(x) for r, a in zip(np.atleast_1d(ref), np.atleast_1d(alt), strict=True) for x in (r, a, a - r)]
    if kind == "TrackModel":
        touched = max(len(old), len(new)) - (len(old) != len(new))
        bins = sorted({(48 + i - 32) // 8 for i in range(touched)} & set(range(len(ref))))
        found: list[float] = []
        for r, a in ((ref[bins], alt[bins]), (ref, alt)):
            for f in (lambda r, a: sum(a) - sum(r), lambda r, a: np.mean([np.log2((y + 1) / (x + 1)) for x, y in zip(r, a, strict=True)]),
                      lambda r, a: np.log2(1 + sum(a)) - np.log2(1 + sum(r)), lambda r, a: sum((a - r) ** 2) ** 0.5):  # fmt: skip
                found += [float(f(r[:, k], a[:, k])) for k in (0, 1)]
        return found
    moved = len(new) - len(old)
    n_old = len(old) - (moved != 0)
    pairs = {}
    for i in range(16, 48):
        j = i if i < 32 or moved == 0 else i + moved
        if (i < 32 or i >= 32 + n_old or moved == 0) and 16 <= j < 48:
            pairs[i] = float(alt[j, 0] - ref[i, 0])
    most = max(pairs, key=lambda i: abs(pairs[i]))
    return [pairs[32 if moved == 0 else 31], pairs[most], most - 32.0, sum(d * d for d in pairs.values()) ** 0.5]


def test_every_kind_of_answers_can_be_asked_for_variants() -> None:
    """All but models of sparse sites, which a variant makes and breaks: they refuse."""
    asked = {name: kind for name, kind in KINDS.items() if name != "SiteModel"}
    assert set(ANSWERS) == {readout for kind in asked.values() for readout in (kind.readout, *kind.others)}
    # imports answer as a MaskedEncoder or a SequenceClassifier does
    assert set(MODELS) == {kind for kind in asked if not kind.startswith("Imported")}


@pytest.mark.parametrize("kind", MODELS)
def test_scores_are_those_of_a_plain_loop(home: Path, models: dict[str, Trained], kind: str) -> None:
    model, width = models[kind], MODELS[kind][2]
    plain = Plain(model, width)
    found = list(model.variants(home / "g.fa", [f"{c}:{p}:{r}>{a}" for c, p, r, a, _ in CASES]))
    assert len(found) == len(CASES)
    for case, effect in zip(CASES, found, strict=True):
        ref, alt = windows(case, width, pad=kind in ("TrackModel", "PerBaseModel"))
        wanted = differences(kind, plain(ref), plain(alt), case)
        np.testing.assert_allclose(effect.scores, wanted, rtol=1e-6, atol=3e-6 if kind == "TrackModel" else 1e-6)


def lines(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]


def test_the_command_writes_what_the_method_says(home: Path, models: dict[str, Trained], tmp_path: Path) -> None:
    """VCF with several alleles, a table in any order, texts: one row per allele, symbolic ones counted."""
    checkpoint, genome, out = str(home / "SequenceClassifier"), str(home / "g.fa"), tmp_path / "e.tsv"
    assert main(["variants", checkpoint, genome, str(home / "v.vcf"), "-o", str(out)]) == 0
    found = lines(out)
    assert found[0][:6] == ["chrom", "pos", "id", "ref", "alt", "kind"]
    assert found[0][6:9] == ["ref_x", "alt_x", "d_x"]
    assert [row[5] for row in found[1:]] == ["deletion", "snv", "snv", "insertion", "mnv", "deletion", "snv", "snv",
                                             "insertion"]  # fmt: skip
    rows = [[CASES[k][0], str(CASES[k][1]), CASES[k][2], CASES[k][3]] for k in (6, 0, 1, 2, 4, 3, 5, 7, 8)]
    assert [[row[0], row[1], row[3], row[4]] for row in found[1:]] == rows
    assert found[2][2] == "one;two"
    table = tmp_path / "v.tsv"
    table.write_text("Alt\tExtra\tRef\tPOS\t#Chrom\n" + "".join(f"{a}\t=\t{r}\t{p}\t{c}\n" for c, p, r, a in rows))
    effects = models["SequenceClassifier"].variants(genome, table)
    assert [effect.asked.variant.alt for effect in effects] == [row[3] for row in rows]
    np.testing.assert_allclose([effect.scores for effect in effects],
                               np.array([row[6:-2] for row in found[1:]], float), rtol=1e-4, atol=1e-5)  # fmt: skip
    assert len(effects) == 9
    assert "9 variants, windows of 64 bp" in repr(effects)


def test_motifs_at_the_variant_are_named(models: dict[str, Trained], home: Path) -> None:
    """What only one allele has: classes with their strand; a CpG that goes, and the TATA box of a deletion."""
    found = list(models["SequenceClassifier"].variants(home / "g.fa", ["short:13:C>T", "short:7:A>C", "short:12:C>CG"]))
    assert "cpg" in found[0].changes.lost
    assert found[0].changes.gained == ()
    assert any(name.startswith("tata_box") for name in found[1].changes.lost)
    assert "cpg" in found[2].changes.gained
    assert "cpg" not in found[2].changes.lost  # the old one has moved with its bases


def test_a_wrong_ref_stops_before_anything_is_asked(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = "C" if LONG[9] != "C" else "G"
    path, out, left = tmp_path / "v.vcf", tmp_path / "e.tsv", tmp_path / "left.tsv"
    other = "A" if wrong != "A" else "T"
    path.write_text(HEADER + f"long\t10\trs1\t{wrong}\t{other}\t.\t.\t.\n"
                    f"long\t11\t.\t{LONG[10]}\t{LONG[10]}T\t.\t.\t.\nlong\t999\t.\tA\tC,G\t.\t.\t.\n")  # fmt: skip
    command = ["variants", str(home / "SequenceClassifier"), str(home / "g.fa"), str(path), "-o", str(out)]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert said == (f"gattn: {path}, line 3: variant long:10:{wrong}>{other}: the genome has {LONG[9]} at this position; "
                    "was the VCF made for another assembly? 2 of 3 lines differ from the genome; correct them, or have "
                    "them left out and written to a file of their own (skip_mismatched)\n")  # fmt: skip
    assert not out.exists()
    assert main([*command, "--skip-mismatched", str(left)]) == 0
    assert [row[:6] for row in lines(left)] == [["line", "chrom", "pos1", "id", "ref", "alt"],
                                                ["3", "long", "10", "rs1", wrong, other],
                                                ["5", "long", "999", ".", "A", "C,G"]]  # fmt: skip
    assert [row[1] for row in lines(out)] == ["pos", "11"]


def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(
    home: Path, models: dict[str, Trained], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed behind its second chunk, with half a line on disk; other settings are refused."""
    model, genome, table = models["SequenceClassifier"], home / "g.fa", tmp_path / "v.tsv"
    places = [i for i in range(40, 140) if LONG[i] != "A"]
    table.write_text("chrom\tpos\tref\talt\n" + "".join(f"long\t{i + 1}\t{LONG[i]}\tA\n" for i in places))
    made = Effects.__init__

    def small(self: Effects, *arguments: Any) -> None:
        made(self, *arguments)
        self.size = 16

    monkeypatch.setattr(Effects, "__init__", small)
    whole, stopped = tmp_path / "whole.vcf.gz", tmp_path / "stopped.vcf.gz"
    n = model.variants(genome, table, batch_size=32).write(whole)
    assert n == len(places)
    told: list[int] = []

    def stop(rows: int) -> None:
        told.append(rows)
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.variants(genome, table, batch_size=32).write(stopped, progress=stop)
    part = tmp_path / "stopped.vcf.gz.part"
    with part.open("ab") as file:
        file.write(b"long\t1")
    assert not stopped.exists()
    again = model.variants(genome, table, batch_size=32)
    with pytest.raises(ConfigError, match=r"expected no unfinished file, got stopped\.vcf\.gz\.part; go on with it"):
        again.write(stopped)
    with pytest.raises(ConfigError, match="expected to go on with the same settings, got another shifts"):
        model.variants(genome, table, batch_size=32, shifts=[0, 1]).write(stopped, resume=True)
    told.clear()
    assert again.write(stopped, resume=True, progress=lambda rows: told.append(rows)) == n
    assert told[:2] == [32, 16]
    assert stopped.read_bytes() == whole.read_bytes()
    assert (tmp_path / "stopped.vcf.gz.tbi").read_bytes() == (tmp_path / "whole.vcf.gz.tbi").read_bytes()
    assert not list(tmp_path.glob("*.part*"))


def test_other_programs_read_the_vcf(home: Path, models: dict[str, Trained], tmp_path: Path) -> None:
    """cyvcf2 (htslib) reads fields, types and any region through the index; labels cannot break the header."""
    cyvcf2 = pytest.importorskip("cyvcf2")
    out = tmp_path / "e.vcf.gz"
    effects = models["SequenceClassifier"].variants(home / "g.fa", home / "v.vcf")
    effects.write(out)
    found = list(effects)
    file = cyvcf2.VCF(str(out))
    records = list(file)
    assert [(r.CHROM, r.POS, r.REF, r.ALT) for r in records] == [
        (e.asked.variant.chrom, e.asked.variant.start + 1, e.asked.variant.ref, [e.asked.variant.alt]) for e in found
    ]
    for record, effect in zip(records, found, strict=True):
        np.testing.assert_allclose(record.INFO["gattn_d_x"], effect.scores[2], rtol=1e-4, atol=1e-5)
        assert "gattn_d__y" in dict(record.INFO)
        lost = record.INFO.get("gattn_motifs_lost")
        assert (lost or "") == ",".join(effect.changes.lost)
    assert [r.POS for r in file("short:1-10")] == [9]
    assert [r.POS for r in file("long:130-160")] == [141, 151]


def test_strands_shifts_and_background(home: Path, models: dict[str, Trained]) -> None:
    """Both strands and shifts are means; quantiles are ranks by size among the background."""
    model, variant = models["GenomicGPT"], "long:101:" + f"{CASES[0][2]}>{CASES[0][3]}"
    genome = home / "g.fa"
    zero, three, mean = (next(iter(model.variants(genome, variant, shifts=s))).scores for s in ([0], [3], [0, 3]))
    np.testing.assert_allclose(mean, (np.array(zero) + np.array(three)) / 2, rtol=1e-6)
    plain = Plain(model, 32)
    ref, alt = windows(CASES[0], 32, False)
    both = next(iter(model.variants(genome, variant, both_strands=True))).scores
    wanted = [(plain(x) + plain(reverse_complement(x.encode()).decode())) / 2 for x in (ref, alt)]
    np.testing.assert_allclose(both[:2], wanted, rtol=1e-6)
    several = [f"{c}:{p}:{r}>{a}" for c, p, r, a, _ in CASES]
    compared = model.variants(genome, several, background=home / "v.vcf")
    assert compared.header[-3:] == ["quantile_d_log_likelihood", "motifs_lost", "motifs_gained"]
    sizes = np.abs([effect.scores[2] for effect in compared])
    ranks = (sizes[:, None] > sizes).sum(1) / len(sizes) + 0.5 / len(sizes)
    np.testing.assert_allclose([effect.quantiles[0] for effect in compared], ranks, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"window": 65}, ConfigError, "variants: expected a window from 1 to 64 bases, which the model can read, got 65"),
        ({"shifts": [40]}, ConfigError, "variants: expected different shifts of at most 31 bases for windows of 64"),
        ({"tracks": ["a"]}, ConfigError, "variants: tracks: expected none for a SequenceClassifier, got"),
        ({"variants": "short:1:" + CONTIGS["short"] + ">"}, CoordinateError, "expected alleles that leave a base of short"),
        ({"variants": "chr9:1:A>C"}, CoordinateError, "variants, number 1: expected a contig of the genome (long, short), got 'chr9'; rename"),
        ({"variants": []}, ConfigError, "variants: expected at least one, got none"),
        ({"variants": "-"}, FormatError, "variants are read twice"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_said(
    home: Path, models: dict[str, Trained], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    asked = {"variants": "short:9:A>C", **options}
    with pytest.raises(error) as caught:
        list(models["SequenceClassifier"].variants(home / "g.fa", **asked))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chrom\tpos\tref\n", "line 1: expected a header with one column each of chrom, pos, ref, alt, got none named 'alt'"),
        ("chrom\tpos\tref\talt\nlong\t0\tA\tC\n", "line 2: expected pos counted from 1, got 0; is the table 0-based?"),
        ("chrom\tpos\tref\talt\nlong\t1\tA\n", "line 2: expected 4 columns, as in the header, got 3"),
        ("chrom\tpos\tref\talt\nlong\t1\tA\t<DEL>\n", "line 2: expected alt of nucleotide letters, or - for none"),
        ("chrom\tpos\tref\talt\nlong\t1\tA\ta\n", "expected two different alleles, but both are the same; remove it"),
        ("chrom\tpos\tref\talt\n", "expected a variant that the genome has, got none"),
    ],
)  # fmt: skip
def test_tables_of_variants_are_read_strictly(
    home: Path, models: dict[str, Trained], tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "v.tsv").write_text(text)
    with pytest.raises(FormatError) as caught:
        models["SequenceClassifier"].variants(home / "g.fa", tmp_path / "v.tsv")
    assert message in str(caught.value)
