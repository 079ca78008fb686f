# %% [markdown]
# # Write a kernel
#
# gattn_tg describes its kernels as loop nests in Python. tinygrad compiles them. This page writes a small kernel,
# checks it, and gives it a gradient. It takes some seconds and needs a CPU only.
#
# The kernel computes the mean of every row: `out[r] = sum over j of x[r, j] / n`.

# %%
import numpy as np
from tinygrad import Tensor, UOp, dtypes

from gattn_tg.kernels.tiles.body import Body, element
from gattn_tg.ops.launch import Output, launch

# %% [markdown]
# ## 1. The loop nest
#
# A kernel is a function from its operands to a program. `Body` collects the statements in the order in which you
# write them. `body.loop(n)` repeats the statements of its block. `body.write` stores a value, `body.read` gives the
# value as it is after the last statement, and `element` an element of an operand that the kernel only reads.

# %%
def row_means(out: UOp, x: UOp) -> UOp:
    rows, n = x.shape
    body = Body(f"row_means_{rows}x{n}")
    with body.loop(rows) as r:
        body.write(out, (r,), 0.0)
        with body.loop(n) as j:
            body.write(out, (r,), body.read(out, r) + element(x, r, j))
        body.write(out, (r,), body.read(out, r) * (1 / n))
    return body.finish()


# %% [markdown]
# ## 2. Run it
#
# `launch` takes the kernel, what it fills and what it reads. The result is a tensor like any other.

# %%
x = np.random.default_rng(0).standard_normal((4, 1000)).astype(np.float32)
(means,) = launch(row_means, [Output((4,), dtypes.float32)], [Tensor(x)])
print("kernel:", means.numpy().round(4))
print("NumPy: ", x.mean(1, dtype=np.float64).round(4))
assert np.allclose(means.numpy(), x.mean(1, dtype=np.float64), atol=1e-6)

# %% [markdown]
# ## 3. More than one core
#
# `body.units(size, parts)` cuts independent pieces of work into parts that may go to different cores. Each row
# belongs to one part, and its sum runs in a fixed order. So the result has the same bits on any number of cores.

# %%
def row_means_on_cores(out: UOp, x: UOp) -> UOp:
    rows, n = x.shape
    body = Body(f"row_means_{rows}x{n}_2parts")
    with body.units(rows, 2) as (_, r):
        body.write(out, (r,), 0.0)
        with body.loop(n) as j:
            body.write(out, (r,), body.read(out, r) + element(x, r, j))
        body.write(out, (r,), body.read(out, r) * (1 / n))
    return body.finish()


(again,) = launch(row_means_on_cores, [Output((4,), dtypes.float32)], [Tensor(x)])
print("same bits:", np.array_equal(again.numpy(), means.numpy()))

# %% [markdown]
# ## 4. A gradient
#
# The kernel says nothing about its gradient, so we do: every `x[r, j]` moves the mean of its row by `1 / n`. The
# function gets the gradients of the outputs, the outputs and the inputs, and returns one gradient per input.

# %%
def gradient(given: list[Tensor], outputs: list[Tensor], inputs: list[Tensor]) -> list[Tensor]:
    rows, n = inputs[0].shape
    return [(given[0] / n).unsqueeze(1).expand(rows, n)]


operand = Tensor(x)
(means,) = launch(row_means_on_cores, [Output((4,), dtypes.float32)], [operand], gradient)
(dx,) = means.square().sum().gradient(operand)
truth = 2 * x.mean(1, keepdims=True) / 1000 * np.ones_like(x)
print("gradient is right:", np.allclose(dx.numpy(), truth, atol=1e-7))

# %% [markdown]
# ## Where to go next
#
# `gattn_tg/kernels/dense/rowwise.py` has kernels of this size: sums of rows and layer normalisation.
# `gattn_tg/kernels/loops/forward.py` has attention. `gattn_tg/README.md` says how to add a kernel to the package.
# Every kernel there is checked against float64 before it is used.
