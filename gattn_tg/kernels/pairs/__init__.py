"""Products of paired 16-bit numbers on CPUs that have instructions for them: one file each behind one interface."""
