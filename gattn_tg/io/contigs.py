"""Names of contigs: one genome calls it chr22, one file 22."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gattn_tg.errors import ConfigError, CoordinateError

AUTO = "auto"
MITOCHONDRIA = {"M": "MT", "MT": "M"}
SHOWN = 5  # names of a genome that a message lists


class ContigNames:
    """The names of a genome, and how the names of another file become them.

    Args:
        known: names of the genome's contigs.
        rename: name in the file -> name in the genome; "auto" adds or removes a leading "chr" where that makes a name
            known (and M is MT); None takes names as they are.

    Raises:
        ConfigError: a name is renamed to one that the genome does not have, or rename is another word.
    """

    def __init__(self, known: Iterable[str], rename: Mapping[str, str] | str | None = None) -> None:
        self.known = frozenset(known)
        if isinstance(rename, str) and rename != AUTO:
            raise ConfigError(
                f"contig names: expected a table of names, 'auto' or None, got {rename!r}; "
                "write 22=chr22 for each name, or auto"
            )
        self.auto = rename == AUTO
        self.renamed = {} if rename is None or isinstance(rename, str) else dict(rename)
        for name, target in self.renamed.items():
            if target not in self.known:
                raise ConfigError(
                    f"contig names: expected a contig of the genome as new name of {name!r}, got {target!r}; "
                    f"the genome has {self._listed()}"
                )

    def resolve(self, name: str, where: str) -> str:
        """Return the genome's name of a contig.

        Args:
            name: as the file writes it.
            where: file and line, for the message.

        Raises:
            CoordinateError: the genome has no such contig.
        """
        if name in self.renamed:
            return self.renamed[name]
        if name in self.known:
            return name
        other = other_style(name, self.known)
        if self.auto and other:
            return other
        stretch = min((known for known in self.known if known.startswith(f"{name}:")), default=None)
        if other:
            advice = f"it has {other!r}: rename {name}={other}, or auto for all"
        elif stretch is not None:
            advice = (f"this genome is a stretch of it: use the name {stretch} and count places from its first base; "
                      "read such names as regions, where there is a choice; or give the whole contig")
        else:
            advice = "rename the contig, or is this another assembly?"
        raise CoordinateError(
            f"{where}: expected a contig of the genome ({self._listed()}), got {name!r}; {advice}"
        )

    def _listed(self) -> str:
        names = sorted(self.known)
        more = len(names) - SHOWN
        return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def other_style(name: str, known: Iterable[str]) -> str | None:
    """Return how a contig is called in the other style, with or without "chr", when that name is known.

    Example:
        >>> other_style("22", {"chr22"}), other_style("chrM", {"MT"}), other_style("chrUn", {"chr1"})
        ('chr22', 'MT', None)
    """
    known = frozenset(known)
    bare = name.removeprefix("chr")
    same = (bare, MITOCHONDRIA.get(bare, bare))
    return next((n for b in same for n in (f"chr{b}", b) if n != name and n in known), None)
