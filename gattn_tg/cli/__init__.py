"""The `gattn` command: arguments, progress, exit codes; the only room that prints."""
