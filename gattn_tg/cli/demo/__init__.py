"""`gattn demo`: the whole way from bundled DNA to a trained, tested and explained model."""

from gattn_tg.cli.demo.verb import run

__all__ = ["run"]
