# ruff: noqa: E501 - error texts stand whole, as users meet them
"""Vocabularies: the default one, TOML, refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gattn_tg.errors import ConfigError, FormatError, GattnError
from gattn_tg.motif import AtRich, Consensus, CpgIslands, Matrix, MotifClass, MotifVocabulary
from gattn_tg.motif import vocabulary as module
from gattn_tg.motif.rules import Measured
from gattn_tg.seq import reverse_complement

DEFAULT = MotifVocabulary.default()
MOTIF = MotifClass("box", Consensus(("CCAAT",)), 1, "#123456")
TEXT = MotifVocabulary((MOTIF,)).to_toml()


def test_default_has_fifteen_documented_classes() -> None:
    assert DEFAULT.n_motifs == len(DEFAULT.names) == len(DEFAULT.colours) == len(DEFAULT.complement) == 16
    assert DEFAULT.names[0] == "none"
    assert len(set(DEFAULT.names)) == len(set(DEFAULT.colours)) == 16
    assert all(motif.source for motif in DEFAULT.classes)


def test_complement_is_an_involution_that_swaps_partners() -> None:
    other = DEFAULT.complement
    assert [other[k] for k in other] == list(range(16))
    swapped = {DEFAULT.names[k]: DEFAULT.names[j] for k, j in enumerate(other) if k != j}
    assert swapped == {
        "tata_box": "tata_box-", "tata_box-": "tata_box",
        "splice_donor": "splice_donor-", "splice_donor-": "splice_donor",
        "splice_acceptor": "splice_acceptor-", "splice_acceptor-": "splice_acceptor",
    }  # fmt: skip


def test_direction_without_a_partner_is_not_strand_symmetric() -> None:
    alone = MotifVocabulary((replace(MOTIF, strand="forward"),))
    assert alone.complement == (0, 1)
    assert not alone.is_strand_symmetric
    assert MotifVocabulary((MOTIF,)).is_strand_symmetric


def test_default_file_is_what_the_writer_writes() -> None:
    path = Path(module.__file__).with_name("default_vocabulary.toml")
    assert DEFAULT.to_toml() == path.read_text(encoding="utf-8")


names = st.text(alphabet="abcXYZ019_+.-", min_size=1, max_size=8).filter(lambda name: name != "none")
consensus = st.lists(
    st.text(alphabet="ACGTRYSWKMBDHV", min_size=1, max_size=8), min_size=1, max_size=3, unique=True
).map(lambda words: Consensus(tuple(words)))
rules = st.one_of(
    consensus,
    st.builds(AtRich, st.integers(1, 500), st.floats(0.001, 1.0)),
    st.sampled_from(["gardiner-garden", "takai-jones"]).map(CpgIslands),
    st.builds(Measured, consensus.map(lambda rule: rule.patterns), st.sampled_from("01Zz~!")),
    st.builds(
        Matrix,
        st.lists(st.permutations([0, 1, 5, 14]).map(tuple), min_size=1, max_size=4).map(tuple),
        st.floats(1e-300, 0.999, exclude_min=True),
    ),
)


@st.composite
def vocabularies(draw: st.DrawFn) -> MotifVocabulary:
    classes: list[MotifClass] = []
    chosen = draw(
        st.lists(st.tuples(names, rules), min_size=1, max_size=15, unique_by=(lambda x: x[0], lambda x: x[1]))
    )
    for priority, (name, rule) in enumerate(chosen):
        strand = "either" if rule.is_symmetric else draw(st.sampled_from(["either", "forward", "reverse"]))
        colour = f"#{draw(st.integers(0, 0xFFFFFF)):06x}"
        source = draw(st.text(alphabet="aé😀\"\\ [#='", max_size=8))
        classes.append(MotifClass(name, rule, priority, colour, strand, source))
    return MotifVocabulary(tuple(classes))


@given(vocabularies())
def test_toml_round_trip_is_exact(vocabulary: MotifVocabulary) -> None:
    text = vocabulary.to_toml()
    again = MotifVocabulary.from_toml(text)
    assert again == vocabulary
    assert again.to_toml() == text


def test_toml_from_a_file_and_with_ids_in_any_order(tmp_path: Path) -> None:
    first, second = (table for table in DEFAULT.to_toml().split("\n\n")[1:3])
    path = tmp_path / "motifs.toml"
    path.write_text(f"{second}\n\n{first}\n")
    assert MotifVocabulary.from_toml(path).names == ("none", "cpg", "cpg_island")


def test_toml_needs_neither_strand_nor_source() -> None:
    text = "\n".join(line for line in TEXT.splitlines() if not line.startswith(("strand", "source")))
    assert MotifVocabulary.from_toml(text) == MotifVocabulary((MOTIF,))


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("[[motif]]", "[[motif", "motif vocabulary: expected TOML text, got Expected ']]' at the end of an array declaration (at line 3, column 8); correct that place"),
        ("[[motif]]", "[[motive]]", "motif vocabulary: expected nothing but [[motif]] tables, got motive; remove it"),
        (TEXT, "", "motif vocabulary: expected [[motif]] tables, got none; add one for each class"),
        (TEXT, "motif = 3", "motif vocabulary: expected [[motif]] tables, got none; add one for each class"),
        ("id = 1", "id = 2", "motif vocabulary: expected ids 1..1, each once, got [2]; number the classes anew"),
        ("id = 1\n", "", "motif vocabulary, motif 1: id: expected a whole number, got nothing; write id = ..."),
        ('kind = "consensus"', 'kind = "regex"', "motif vocabulary, motif 1: expected kind consensus, at_rich, cpg_island, matrix, measured, got 'regex'; choose one of them"),
        ('kind = "consensus"', "", "motif vocabulary, motif 1: expected kind consensus, at_rich, cpg_island, matrix, measured, got None; choose one of them"),
        ("priority = 1", 'priority = "1"', "motif vocabulary, motif 1: priority: expected a whole number, got '1'; write priority = ..."),
        ("priority = 1", "priority = true", "motif vocabulary, motif 1: priority: expected a whole number, got True; write priority = ..."),
        ('["CCAAT"]', '"CCAAT"', "motif vocabulary, motif 1: patterns: expected an array, got 'CCAAT'; write patterns = ..."),
        ('["CCAAT"]', "[1]", "motif vocabulary, motif 1: patterns: expected an array, got [1]; write patterns = ..."),
        ('strand = "either"', "strands = 2", "motif vocabulary, motif 1: expected keys id, name, kind, priority, colour, strand, source, patterns for kind 'consensus', got 'strands'; remove it"),
        ('["CCAAT"]', "[]", "motif patterns: expected at least one, got none; give IUPAC letters"),
    ],
)  # fmt: skip
def test_bad_toml_is_refused(old: str, new: str, text: str) -> None:
    with pytest.raises(GattnError) as caught:
        MotifVocabulary.from_toml(TEXT.replace(old, new))
    assert str(caught.value) == text


def test_messages_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "motifs.toml"
    path.write_text(TEXT.replace("id = 1", "id = 0"))
    with pytest.raises(FormatError) as caught:
        MotifVocabulary.from_toml(path)
    assert str(caught.value).startswith(f"{path}: expected ids 1..1, each once,")
    with pytest.raises(FormatError) as caught:
        MotifVocabulary.from_toml(tmp_path / "absent.toml")
    assert str(caught.value) == (
        f"{tmp_path / 'absent.toml'}: expected a readable file, got: no such file or directory; check the path"
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"name": "none"}, "motif 'none': expected a name of letters, digits and _+.- other than 'none', got 'none'; rename the class"),
        ({"name": "a b"}, "motif 'a b': expected a name of letters, digits and _+.- other than 'none', got 'a b'; rename the class"),
        ({"strand": "+"}, "motif 'box': expected strand either, forward, reverse, got '+'; choose one of them"),
        ({"rule": Consensus(("CG",)), "strand": "forward"}, "motif 'box': expected strand 'either' for a rule that reads the same on both strands, got 'forward'; its sites have no direction"),
        ({"colour": "red"}, "motif 'box': expected a colour written #rrggbb in lower case, got 'red'; for example #1f77b4"),
        ({"source": "a\nb"}, "motif 'box': expected a source of printable characters, got 'a\\nb'; write it on one line"),
    ],
)  # fmt: skip
def test_bad_classes_are_refused(change: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(MOTIF, **change)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"rule": Consensus(("GGG",)), "priority": 2}, "motif vocabulary: classes 'box' and 'box': expected different names, got the same; rename one"),
        ({"name": "b", "priority": 2}, "motif vocabulary: classes 'box' and 'b': expected different rules or opposite strands, got the same rule on strands 'either' and 'either'; remove one"),
        ({"name": "b", "rule": Consensus(("GGG",))}, "motif vocabulary: classes 'box' and 'b': expected different priorities, got 1 for both; say which one wins where they overlap"),
    ],
)  # fmt: skip
def test_bad_pairs_are_refused(change: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        MotifVocabulary((MOTIF, replace(MOTIF, **change)))
    assert str(caught.value) == text


def test_partners_share_a_priority() -> None:
    forward, reverse = (
        replace(MOTIF, strand="forward"),
        replace(MOTIF, name="b", strand="reverse", priority=2),
    )
    with pytest.raises(ConfigError) as caught:
        MotifVocabulary((forward, reverse))
    assert str(caught.value) == (
        "motif vocabulary: classes 'box' and 'b': expected one priority for the two strands of a rule, "
        "got 1 and 2; give both the same"
    )
    assert MotifVocabulary((forward, replace(reverse, priority=1))).complement == (0, 2, 1)


def test_none_and_256_classes_are_refused() -> None:
    words = ["".join("ACGT"[n >> shift & 3] for shift in (0, 2, 4, 6)) + "C" for n in range(256)]
    classes = tuple(MotifClass(word, Consensus((word,)), n, "#123456") for n, word in enumerate(words))
    assert MotifVocabulary(classes[:255]).n_motifs == 256
    for some, count, advice in ((classes, 256, "merge rare ones"), ((), 0, "add one")):
        with pytest.raises(ConfigError) as caught:
            MotifVocabulary(some)
        assert str(caught.value) == (
            f"motif vocabulary: expected 1 to 255 classes, for ids 1..255, got {count}; {advice}"
        )


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: AtRich(0, 0.5), "motif at_rich: expected window_bp >= 1 and min_fraction in (0, 1], got 0 and 0.5; 20 and 0.9 are the defaults"),
        (lambda: AtRich(5, 1.5), "motif at_rich: expected window_bp >= 1 and min_fraction in (0, 1], got 5 and 1.5; 20 and 0.9 are the defaults"),
        (lambda: CpgIslands("ucsc"), "motif cpg_island: expected criteria 'gardiner-garden' or 'takai-jones', got 'ucsc'; choose one of them"),
    ],
)  # fmt: skip
def test_bad_rules_are_refused(build: object, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build()  # type: ignore[operator]
    assert str(caught.value) == text


@given(consensus)
def test_symmetric_means_the_same_set_of_words_on_both_strands(rule: Consensus) -> None:
    assert rule.is_symmetric == (sorted(map(reverse_complement, rule.patterns)) == sorted(rule.patterns))
