"""Which computer this is: devices, the C compiler, threads, sizes of kernels that were measured."""
