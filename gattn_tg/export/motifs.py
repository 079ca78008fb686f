"""The motif vocabulary of a model as C: one function that gives every base its motif id, as `motif.annotate` does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gattn_tg.errors import UnsupportedError
from gattn_tg.motif import MotifVocabulary
from gattn_tg.motif.islands import CRITERIA
from gattn_tg.motif.iupac import masks
from gattn_tg.motif.motif_class import MotifClass
from gattn_tg.motif.rules import AtRich, Consensus, CpgIslands, Matrix
from gattn_tg.motif.threshold import TIE_BITS, log_odds, score_threshold
from gattn_tg.seq import reverse_complement

RULES = Path(__file__).with_name("web") / "motifs.c"
ROOM = 32  # bytes of memory that a base takes while motifs are looked for: two strands, their centres, four sums


def motif_source(vocabulary: MotifVocabulary, *, is_causal: bool) -> str:
    """C of `static void motif_ids(const byte *bases, int n, byte *ids, char *room)`; room has `ROOM * (n + 1)` bytes.

    Args:
        vocabulary: the classes.
        is_causal: as `motif.causal_ids`, which marks motifs on their last base; without it as `motif.annotate`.

    Raises:
        UnsupportedError: a class that letters do not show.
    """
    calls = _causal(vocabulary) if is_causal else _painted(vocabulary)
    body = "\n".join(f"  {call}" for call in calls)
    return f"""{RULES.read_text(encoding="utf-8")}
static void motif_ids(const byte *bases, int n, byte *ids, char *memory) {{
  int *room = (int *)memory;
  byte *one[2] = {{(byte *)(room + 4 * (n + 1)), (byte *)(room + 4 * (n + 1)) + n}};
  byte *marks[2] = {{one[1] + n, one[1] + 3 * n}};
  for (int i = 0; i < n; i++) ids[i] = 0;
{body}
}}
#pragma clang fp contract(on)  /* sums of motifs are those of NumPy; kernels multiply and add at once */
"""


def _painted(vocabulary: MotifVocabulary) -> list[str]:
    """From the lowest priority to the highest, so that later classes paint over earlier ones."""
    classes, calls = dict(enumerate(vocabulary.classes, start=1)), []
    for k in sorted(classes, key=lambda k: classes[k].priority):
        partner, motif = vocabulary.complement[k], classes[k]
        if partner < k:
            continue  # painted together with its partner
        if partner == k:
            calls += [_clear(0), *(call for way in _ways(motif) for call in _found(motif, 0, reverse=way)),
                      f"paint(one[0], n, {k}, ids);"]  # fmt: skip
        else:
            for place, one in enumerate((motif, classes[partner])):
                calls += [_clear(place), *_found(one, place, reverse=_ways(one)[0])]
            calls.append(f"paint_two(one, marks, n, {k}, {partner}, ids, room);")
    return calls


def _causal(vocabulary: MotifVocabulary) -> list[str]:
    """Of two partners the one of lower id counts, so it is painted last."""
    classes, calls = dict(enumerate(vocabulary.classes, start=1)), []
    for k in sorted(classes, key=lambda k: (classes[k].priority, -k)):
        found = [call for way in _ways(classes[k]) for call in _found(classes[k], 0, reverse=way, last=True)]
        calls += [_clear(0), *found, f"paint(one[0], n, {k}, ids);"]
    return calls


def _ways(motif: MotifClass) -> tuple[bool, ...]:
    """Whether the other strand is looked at, for each strand that a class is looked for on."""
    if motif.rule.is_symmetric:
        return (False,)
    return {"either": (False, True), "forward": (False,), "reverse": (True,)}[motif.strand]


def _clear(place: int) -> str:
    return f"for (int i = 0; i < n; i++) one[{place}][i] = marks[{place}][2 * i] = marks[{place}][2 * i + 1] = 0;"


def _found(motif: MotifClass, place: int, *, reverse: bool, last: bool = False) -> list[str]:
    """Calls that cover the sites of a class on one strand."""
    rule, where = motif.rule, f"{int(last)}, one[{place}]"
    if type(rule) is Consensus:
        patterns = map(reverse_complement, rule.patterns) if reverse else rule.patterns
        return [f"pattern(bases, n, (const byte[]){{{', '.join(map(str, masks(p)))}}}, {len(p)}, {where}, "
                f"marks[{place}]);" for p in patterns]  # fmt: skip
    if isinstance(rule, Matrix):
        weights = log_odds(rule.counts)
        weights = weights[::-1, ::-1] if reverse else weights
        numbers = ", ".join(float(x).hex() for x in np.ravel(weights))
        least = float(score_threshold(rule.counts, rule.pvalue) - TIE_BITS).hex()
        return [f"matrix(bases, n, (const double[]){{{numbers}}}, {len(weights)}, {least}, {where}, marks[{place}]);"]
    if isinstance(rule, AtRich):
        need = float(round(rule.min_fraction * rule.window_bp, 6)).hex()
        return [f"at_rich(bases, n, {rule.window_bp}, {need}, {where});"]
    if isinstance(rule, CpgIslands):
        c = CRITERIA[rule.criteria]
        told = (f"(Criteria){{{c.min_length_bp}, {c.window_bp}, {int(c.whole_windows)}, {c.max_gap_bp}, "
                f"{float(c.min_gc).hex()}, {float(c.min_observed_expected).hex()}}}")
        return [f"cpg_islands(bases, n, {told}, {where}, room);"]
    raise UnsupportedError(f"export: expected motifs that letters show, got the class {motif.name!r} of measured "
                           "states, which are known of reads only; ask the model in Python")
