"""One token per site of a genome: what surrounds sites is read, and neighbouring sites attend to each other."""
