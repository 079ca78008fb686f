"""The command line: verbs, their options and the readers of option values."""
