"""Writes the weights and expected outputs beside it: `python tests/import/fixture.py` (PyTorch 2).

A network 7-6-5-3 under the names of the published code: two hidden layers that inhibition normalizes,
ReLU after each, and an EI readout. Matrices are post x pre, biases [n, 1]. The loss is the cross-entropy
of the outputs with label smoothing 0.1 plus 0.3 times the sum of the local losses of the hidden layers; its
gradients are those with plain errors and with errors that are fully normalized at the hidden layers.
"""

from collections import OrderedDict
from pathlib import Path

import torch

HERE = Path(__file__).parent
EPSILON = 1e-5


def layer(n_in, n_e, n_i, n_d):
    draw = lambda *shape: torch.rand(*shape, dtype=torch.float64)
    weights = {"Wex": draw(n_e, n_in), "Wix": draw(n_i, n_in), "Wei": draw(n_e, n_i)}
    if n_d:
        weights["Bix"] = torch.randn(n_d, n_in, dtype=torch.float64)
        weights["Bei"] = draw(n_e, n_d)
    weights["bias"] = torch.randn(n_e, 1, dtype=torch.float64)
    return weights


class FullErrorNorm(torch.autograd.Function):
    """The identity, whose backward pass is that of normalizing z as LayerNorm does."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return z.view_as(z)

    @staticmethod
    def backward(ctx, delta):
        (z,) = ctx.saved_tensors
        sigma = torch.sqrt(z.var(-1, correction=0, keepdim=True) + EPSILON)
        return (delta - delta.mean(-1, keepdim=True) - z * (delta * z).mean(-1, keepdim=True)) / sigma


def forward(net, x, error_norm=lambda z: z):
    """The outputs and the sum of the local losses."""
    local = 0
    for name in ["fc0", "fc1", "fc_output"]:
        w = {key.split(".")[1]: value for key, value in net.items() if key.startswith(name + ".")}
        a = x @ w["Wex"].T + w["bias"].T
        if "Bix" not in w:
            return a - (x @ w["Wix"].T) @ w["Wei"].T, local
        c = x.detach()
        s = (c @ w["Wix"].T) @ w["Wei"].T
        q = torch.sqrt((c @ w["Bix"].T) ** 2 @ w["Bei"].T + EPSILON)
        z = (a - s.detach()) / q.detach()
        z_hat = (a.detach() - s) / q
        local = local + (z_hat.mean(-1) ** 2 + (z_hat.var(-1, correction=0) - 1) ** 2).mean()
        x = torch.relu(error_norm(z))


def gradients(net, x, error_norm):
    net = {key: value.clone().requires_grad_() for key, value in net.items()}
    y, local = forward(net, x, error_norm)
    loss = torch.nn.functional.cross_entropy(y, torch.tensor([2, 0, 1, 1]), label_smoothing=0.1)
    loss = loss + 0.3 * local
    loss.backward()
    return {"loss": loss.detach(), **{key: value.grad for key, value in net.items()}}


def line(what, values):
    return f"{what} " + " ".join(repr(float(v)) for v in values.flatten())


torch.manual_seed(1)
net64 = {
    f"{name}.{key}": value
    for name, sizes in [("fc0", (7, 6, 2, 6)), ("fc1", (6, 5, 1, 5)), ("fc_output", (5, 3, 1, 0))]
    for key, value in layer(*sizes).items()
}
x64 = torch.rand(4, 7, dtype=torch.float64)
lines = ["# What, then the values row by row in float64 (float32 values are exact in it)."]
for suffix, dtype in [("f32", torch.float32), ("f64", torch.float64)]:
    net = {key: value.to(dtype) for key, value in net64.items()}
    torch.save(net, HERE / f"{suffix}.pt")
    x = x64.to(dtype)
    for what, values in [("x", x), ("y", forward(net, x)[0])]:
        lines.append(line(f"{what}_{suffix}", values))
for mode, error_norm in [("identity", lambda z: z), ("full", FullErrorNorm.apply)]:
    for what, values in gradients(net64, x64, error_norm).items():
        lines.append(line(f"{mode}_{what}_f64", values))
(HERE / "expected.txt").write_text("\n".join(lines) + "\n")

net32 = {key: value.float() for key, value in net64.items()}
torch.save({"epoch": 3, "state_dict": net32}, HERE / "checkpoint.pt")


def view(value):
    """The same values in another layout: a part of a larger storage, column by column."""
    storage = torch.full([value.shape[1] + 1, value.shape[0] + 2], -7.0)
    part = storage.T[1:-1, 1:]
    part.copy_(value)
    return torch.nn.Parameter(part)


views = OrderedDict((key, view(value)) for key, value in net32.items())
torch.save(views, HERE / "views.pt", _use_new_zipfile_serialization=False)
# A whole module, not its state_dict.
torch.save(torch.nn.Linear(2, 1), HERE / "module.pt")
