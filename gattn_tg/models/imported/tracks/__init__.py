"""Models of tracks of other projects: Enformer, Borzoi and Flashzoi, read from their own files."""
