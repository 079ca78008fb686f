"""Verbs that exchange models with other projects."""
