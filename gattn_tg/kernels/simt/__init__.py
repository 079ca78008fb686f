"""Attention by groups of GPU threads without matrix units."""
