"""Tables of labelled sequences that may be larger than memory: encoded on disk, and mapped."""
