"""The language of the kernels: statements, tiles in registers, rotations, score functions, epilogues."""
