"""The other CPU kernels: matrix products, convolution, rows of a matrix, updates of all parameters."""
