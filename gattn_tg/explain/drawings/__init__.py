"""Drawings as scalable vector graphics, and the page that holds them."""
