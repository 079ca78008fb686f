"""The version, in a file that needs nothing."""

__version__ = "0.1.0"
