"""The questions why: what bases give to an answer, and what motifs do to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gattn_tg.front.asked_model import AskedModel
from gattn_tg.front.sequences import Sequences
from gattn_tg.later import Later
from gattn_tg.seq import Interval

if TYPE_CHECKING:
    from gattn_tg.front.why import discover, intervene
    from gattn_tg.front.why import explain as why
    from gattn_tg.front.why.discoveries import Discoveries
    from gattn_tg.front.why.explanations import Explanations
    from gattn_tg.front.why.interventions import Insertions, Removals
else:
    discover = Later("gattn_tg.front.why.discover")
    intervene = Later("gattn_tg.front.why.intervene")
    why = Later("gattn_tg.front.why.explain")


class Reasons:
    """Base of `Trained`.

    Attributes:
        asked: the model as questions use it.
    """

    asked: AskedModel

    def explain(
        self, sequences: Sequences, where: str | Interval | Iterable[str | Interval] | Path | None = None, *,
        method: str | None = None, target: str | None = None, at: int | tuple[int, int] | None = None,
        stretch: tuple[int, int] | None = None, head: str | None = None, hold_motifs: bool = False,
        steps: int = 64, references: int = 16, seed: int = 0, batch_size: int = 64,
        both_strands: bool | None = None, attention: bool = True,
        counted: Callable[[int], None] | None = None,
    ) -> Explanations:
        """What every base of sequences gives to what the model says of them.

        Bases and motif ids are both inputs. Mutagenesis finds the motifs of every mutant anew, so a base is counted
        with the motifs that it makes and breaks; the other methods count bases and motif ids beside each other. Of
        models of tracks gradients count the bases alone, with the motif ids as they are.

        What is explained is the log odds of a class or label, or a value; of a language model the log odds of one base
        against the other three, given the bases before it, or of a masked model all others; along a sequence the sum
        of the counts of bins and tracks, or of the log odds of bases. In a genome (`where`) that is the sum over the
        place, and the window of training around it is what gives to it.

        Args:
            sequences: of at most the length that the model can read; with `where` the FASTA file of a genome.
            where: places in that genome, as `along` takes them; those on "-" are read on that strand.
            method: "mutagenesis" (every base changed to the other three), "gradient" (times input), "integrated"
                (gradients from a sequence of N) or "expected" (from shuffles that keep the dinucleotides); None takes
                the gradient of models of tracks and of sites, and mutagenesis of others.
            target: class, label, value, base or track; None takes the class that the model predicts, the base that is
                there, the sum of all tracks, or the only answer.
            at: base whose answer is explained, counted from 0 in every sequence or place; along a sequence also (first,
                end): bins with one of these bases. None takes the last base of a language model, the middle one of a
                masked model, and along a sequence all.
            stretch: mutagenesis: only the bases from the first up to the second are changed.
            head: of models of tracks; None takes the first.
            hold_motifs: mutagenesis: keep the motif ids of the sequence in every mutant.
            steps: integrated and expected: places on the ways where the gradient is taken.
            references: expected: shuffles of every sequence.
            seed: of the shuffles.
            batch_size: rows per call of the network, at most; of long sequences fewer, so that memory is bounded.
            both_strands: of whole sequences, explain the mean over a sequence and its reverse complement; None where
                training turned strands, as `predict` does.
            attention: also where the model looks in the sequences that a page shows.
            counted: is told of every sequence that is done.

        Returns:
            `contributions` in nats of log odds, units of the value or counts; `write(folder)` makes a page and files.

        Raises:
            UnsupportedError: a model that does not say what it answers; gradients of a bias of kind ordered or
                between, or of a model that reads words.
            ConfigError: an option out of its range or that the kind does not have, or no such target.
            CoordinateError: places outside the genome, or whose windows overlap, which a BigWig file cannot hold.
            FormatError: a sequence longer than the model can read, or without the base that is asked for.
            DivergedError: an answer is not finite.
        """
        self.asked.require_letters("explain")
        question = why.Question(
            method=method, target=target, at=at, stretch=stretch, head=head, hold_motifs=hold_motifs, steps=steps,
            references=references, seed=seed, batch_size=batch_size, with_attention=attention,
            both_strands=both_strands,
        )  # fmt: skip
        if where is None:
            return why.explained(self.asked, sequences, question, counted)
        return why.explained_places(self.asked, sequences, where, question, counted)

    def marginalize(
        self, sequences: Sequences, motifs: str | Iterable[str], *, target: str | None = None, strands: str = "+-",
        positions: Sequence[int] | None = None, distances: Sequence[int] | None = None, sampled: bool = False,
        shuffle: bool = False, matrices: str | Path | None = None, seed: int = 0, batch_size: int = 64,
        both_strands: bool | None = None, counted: Callable[[int], None] | None = None,
    ) -> Insertions:
        """What motifs do to an answer when they are put into backgrounds: means over them, with intervals.

        Args:
            sequences: the backgrounds.
            motifs: names of motifs of the vocabulary, words of ACGT, or names of JASPAR; each is put in alone.
            target: class, label or value; None takes the only one, or of two classes the second.
            strands: "+", "-" or both; words that read the same on both are put in once.
            positions: first bases, counted from 0; None is the middle of each background.
            distances: of two motifs: bases between them, both together in the middle.
            sampled: words drawn from the motif, one for each background; without it the likeliest word.
            shuffle: shuffle the backgrounds before, so that their dinucleotides stay.
            matrices: file of motif matrices in place of JASPAR.
            seed: of draws and shuffles.
            batch_size: rows per call of the network.
            counted: is told of the backgrounds of every way that is done.

        Returns:
            A table; `write(folder)` makes a page of it.

        Raises:
            UnsupportedError: a model that says nothing of whole sequences.
            ConfigError: no such motif or target, an option out of its range, or a background that is too short.
            FormatError: a malformed or too long sequence.
            DivergedError: an answer is not finite.
        """
        self.asked.require_letters("marginalize")
        layouts = intervene.Layouts(strands=strands, positions=positions, distances=distances, sampled=sampled,
                                    shuffle=shuffle, seed=seed)
        return intervene.insertions(self.asked, sequences, motifs, layouts, target=target, matrices=matrices,
                                    batch_size=batch_size, both_strands=both_strands, counted=counted)

    def ablate(
        self, sequences: Sequences, motifs: str | Iterable[str], *, target: str | None = None, shuffles: int = 8,
        matrices: str | Path | None = None, seed: int = 0, batch_size: int = 64, both_strands: bool | None = None,
        counted: Callable[[int], None] | None = None,
    ) -> Removals:
        """What is missing from an answer without a motif: all its sites give way to bases of shuffles of the sequence.

        Args:
            sequences: those that have no site of a motif say nothing of it.
            motifs, target, matrices, seed, batch_size, both_strands, counted: as `marginalize` takes them.
            shuffles: of every sequence; the effect is their mean.

        Returns:
            A table, in which random places show what any such change does; `write(folder)` makes a page of it.

        Raises:
            UnsupportedError, ConfigError, FormatError, DivergedError: as `marginalize`.
        """
        self.asked.require_letters("ablate")
        return intervene.removals(self.asked, sequences, motifs, target=target, shuffles=shuffles, seed=seed,
                                  matrices=matrices, batch_size=batch_size, both_strands=both_strands, counted=counted)

    def discover(
        self, positives: Sequences, negatives: Sequences, *, others: Sequence[Reasons] = (), target: str | None = None,
        matrices: str | Path | None = None, method: str | None = None, backgrounds: int = 64, shuffles: int = 4,
        asked: int = 40, seed: int = 0, batch_size: int = 64, both_strands: bool | None = None,
        counted: Callable[[int], None] | None = None,
    ) -> Discoveries:
        """Which motifs and positions tell two groups of sequences apart, with evidence from several sides.

        The sequences must be ones that no model has learnt from. A motif is found where sites of it that the answer
        rests on are more frequent in one group, and where it moves the answer that way when it is put in, both with
        q <= 0.05 among all that were tested (permutation p; Benjamini and Hochberg). Shuffled labels find nothing.

        Args:
            positives, negatives: as `explain` takes sequences; none may be in both.
            others: further models of the same task, as those of other seeds; evidence is the mean over all.
            target: class, label or value; None takes the only one, or of two classes the second.
            matrices: file of motif matrices to look for beside the vocabulary of the model.
            method: of the contributions, as `explain` takes it; None takes gradients, and mutagenesis where a model has
                none in its bases, as one that counts words.
            backgrounds: sequences that motifs are put into or taken out of, at most, and whose attention is asked.
            shuffles: of every sequence that a motif is taken out of, and sites of positives that are put into each
                background, as they stand there: their letters, place and strand. The effect is the mean over them.
            asked: motifs that are put in and taken out, those with the smallest p first.
            seed: of shuffles, permutations and intervals.
            batch_size: rows per call of the network.
            both_strands: as `explain` takes it.
            counted: is told of sequences that are done.

        Returns:
            A table; `names` are what is found, `write(folder)` makes a page of it.

        Raises:
            UnsupportedError: a model that says nothing of whole sequences; gradients as `explain`.
            ConfigError: no such target, a sequence in both groups, or an option out of its range.
            FormatError: a malformed or too long sequence, or file of matrices.
            DivergedError: an answer is not finite.
        """
        models = [self.asked, *(other.asked for other in others)]
        for model in models:
            model.require_letters("discover")
        search = discover.Search(target=target, matrices=matrices, method=method, backgrounds=backgrounds,
                                 shuffles=shuffles, asked=asked, seed=seed, batch_size=batch_size,
                                 both_strands=both_strands)
        return discover.discovered(models, positives, negatives, search, counted)
