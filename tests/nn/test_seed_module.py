"""The PyTorch module that the project grew from: its state dict loads unchanged, outputs and gradients agree."""

from __future__ import annotations

import numpy as np
import promise
import pytest
from tinygrad import Tensor
from tinygrad.nn.state import get_state_dict, load_state_dict

from gattn_tg import GenomicAttention

torch = pytest.importorskip("torch", reason="torch is not installed: the seed's module is written in it")

WIDTH, HEADS, BATCH, LENGTH, MOTIFS = 32, 4, 2, 37, 16
EPS = promise.EPS["float32"]


class SeedAttention(torch.nn.Module):
    """softmax(scale * q k^T + motif_bias[pair_ids].unsqueeze(1)) v, written as the seed wrote it."""

    def __init__(self, proj_bias, out_proj):
        super().__init__()
        self.q_proj = torch.nn.Linear(WIDTH, WIDTH, bias=proj_bias)
        self.k_proj = torch.nn.Linear(WIDTH, WIDTH, bias=proj_bias)
        self.v_proj = torch.nn.Linear(WIDTH, WIDTH, bias=proj_bias)
        if out_proj:
            self.out_proj = torch.nn.Linear(WIDTH, WIDTH, bias=proj_bias)
        self.motif_bias = torch.nn.Parameter(torch.zeros(MOTIFS))

    def forward(self, x, pair_ids):
        b, n, width = x.shape
        q, k, v = (
            projection(x).view(b, n, HEADS, width // HEADS).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        scores = q @ k.transpose(-2, -1) * (width // HEADS) ** -0.5
        bias = self.motif_bias[pair_ids]
        o = torch.softmax(scores + bias.unsqueeze(1), dim=-1) @ v
        o = o.transpose(1, 2).reshape(b, n, width)
        return self.out_proj(o) if hasattr(self, "out_proj") else o


def answers(module, x, pair_ids, dy, dtype):
    """Runs the PyTorch module in a dtype and gives its output and the gradient of x and of every parameter."""
    module = module.to(dtype)
    module.zero_grad()
    x = torch.tensor(x, dtype=dtype, requires_grad=True)
    y = module(x, torch.tensor(pair_ids, dtype=torch.long))
    y.backward(torch.tensor(dy, dtype=dtype))
    found = {"y": y, "x": x.grad} | {name: p.grad for name, p in module.named_parameters()}
    return {name: value.detach().double().numpy() for name, value in found.items()}


def drawn(seed):
    """Draws an input, the id of every pair of bases, and the gradient of the output."""
    draw = np.random.default_rng(seed)
    x, dy = (draw.normal(size=(BATCH, LENGTH, WIDTH)).astype(np.float32) for _ in range(2))
    return x, draw.integers(0, MOTIFS, (BATCH, LENGTH, LENGTH)).astype(np.uint8), dy


def distance(found, true, name):
    """Gives the largest error relative to the largest true value."""
    # A bias of k_proj shifts whole rows of scores: its true gradient is zero, and only cancellation remains.
    largest = np.max(np.abs(true["x" if name == "k_proj.bias" else name]))
    return np.max(np.abs(found - true[name])) / largest


def error_of_torch(module):
    """Gives the error of the module itself in float32, the largest of several draws, as in promise.py."""
    worst = {}
    for seed in range(promise.DRAWS):
        single, true = (answers(module, *drawn(seed), dtype) for dtype in (torch.float32, torch.float64))
        for name in true:
            worst[name] = max(worst.get(name, 0.0), distance(single[name], true, name))
    return worst


@pytest.mark.parametrize(
    ("proj_bias", "out_proj"), [(False, True), (True, False)], ids=["with_out_proj", "with_biases"]
)
def test_state_dict_loads_and_outputs_and_gradients_match(proj_bias, out_proj):
    torch.manual_seed(0)
    module = SeedAttention(proj_bias, out_proj)
    with torch.no_grad():
        module.motif_bias.copy_(torch.randn(MOTIFS))
    state = {name: Tensor(value.numpy().copy()) for name, value in module.state_dict().items()}
    layer = GenomicAttention(
        WIDTH, HEADS, motif="dense", n_motifs=MOTIFS, rope=None, proj_bias=proj_bias, out_proj=out_proj
    )
    assert set(get_state_dict(layer)) == set(state)
    load_state_dict(layer, state, strict=True, verbose=False)

    x, pair_ids, dy = drawn(0)
    true = answers(module, x, pair_ids, dy, torch.float64)
    x_tensor = Tensor(x)
    y = layer(x_tensor, Tensor(pair_ids))
    parameters = get_state_dict(layer)
    gradients = (y * Tensor(dy)).sum().gradient(x_tensor, *parameters.values())
    ours = {"y": y, "x": gradients[0]} | dict(zip(parameters, gradients[1:], strict=True))

    assert set(ours) == set(true)
    allowed = error_of_torch(module)
    for name, value in ours.items():
        assert distance(value.numpy(), true, name) <= 2 * allowed[name] + EPS, name


def test_a_new_layer_starts_without_motif_bias():
    layer = GenomicAttention(WIDTH, HEADS, motif="dense", n_motifs=MOTIFS)
    assert not layer.motif_bias.numpy().any()
