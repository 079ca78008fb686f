"""Scaled dot-product attention with a motif bias: `api` is the operation; beside it operands and implementations."""
