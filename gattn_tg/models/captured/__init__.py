"""A network as it is asked: captured once for each shape, in the memory there is, finite, on one strand or both."""
