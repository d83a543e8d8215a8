"""Writes the weights and expected outputs beside it: `python tests/import/fixture.py` (PyTorch 2).

A network 7-6-5-3 under the names of the published code: two hidden layers that inhibition normalizes,
ReLU after each, and an EI readout. Matrices are post x pre, biases [n, 1].
"""

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


def forward(net, x):
    for name in ["fc0", "fc1", "fc_output"]:
        w = {key.split(".")[1]: value for key, value in net.items() if key.startswith(name + ".")}
        z = x @ w["Wex"].T + w["bias"].T - (x @ w["Wix"].T) @ w["Wei"].T
        if "Bix" in w:
            z = z / torch.sqrt((x @ w["Bix"].T) ** 2 @ w["Bei"].T + EPSILON)
        x = z if name == "fc_output" else torch.relu(z)
    return x


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
    for what, values in [("x", x), ("y", forward(net, x))]:
        numbers = " ".join(repr(float(v)) for v in values.flatten())
        lines.append(f"{what}_{suffix} {numbers}")
(HERE / "expected.txt").write_text("\n".join(lines) + "\n")

net32 = {key: value.float() for key, value in net64.items()}
torch.save({"epoch": 3, "state_dict": net32}, HERE / "checkpoint.pt")
