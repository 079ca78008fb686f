"""Options of the verbs about this computer."""

from __future__ import annotations

from gattn_tg.cli.arguments import parse, shared


def bench(verbs: shared.Verbs) -> None:
    """The options of `gattn bench`."""
    verb = shared.verb(
        verbs, "bench", "how fast the CPU kernels are here, or with --tune, which sizes make them fastest"
    )
    verb.add_argument("--tune", action="store_true", help="measure all sizes for some minutes, keep the fastest")
    verb.add_argument(
        "--d", type=parse.widths, default=[64], metavar="64[,32,128]", help="head widths to measure (64)"
    )


def doctor(verbs: shared.Verbs) -> None:
    """The options of `gattn doctor`."""
    shared.verb(
        verbs, "doctor", "devices, compilers and optional packages: what is here, what is used, what to install"
    )


def cache(verbs: shared.Verbs) -> None:
    """The options of `gattn cache`."""
    verb = shared.verb(verbs, "cache", "kernels that were lowered and compiled, kept for later runs: where, how many")
    verb.add_argument("--clear", action="store_true", help="throw them away; later runs make them again")
