#!/usr/bin/env python3
"""The luminosity experiment's training step in PyTorch, for a comparison of speed.

Trains 784-W-W-10 networks of excitatory and inhibitory neurons on Fashion-MNIST under variable
luminosity, by the equations of `crates/ei-norm`, and prints one line of JSON with the time of a
step. `check.py` holds it against the library. Matrices are stored [outputs, inputs], as in
`torch.nn.Linear`.
"""

import argparse
import gzip
import json
import math
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path

try:
    import numpy as np
    import torch
    import torch.nn.functional as F
except ImportError as error:
    sys.exit(f"twin.py: {error}; pip install -r {Path(__file__).with_name('requirements.txt')}")

CONDITIONS = ("none", "ln+", "inorm", "inorm+full")
EPSILON = 1e-5
LABEL_SMOOTHING = 0.1
PIXELS, CLASSES = 784, 10
EMBEDDED = Path(__file__).resolve().parents[2] / "crates" / "luminosity" / "data"
# Steps that are not timed, as in the library: allocators and caches settle in them.
WARM_UP = 20


# --- Layers ------------------------------------------------------------------------------------
#
# No weight is a leaf of autograd. The gradient of a matrix is (error at its output)ᵀ (its input), so
# autograd is asked, once a step, for the errors at the outputs of the products, and the update of a
# matrix is formed from that: as a gradient that is then subtracted, as in any training loop, or, with
# --fused, by a single addmm_ into it. Each layer hands back what its update needs, a `Product` for every matrix that learns.


@dataclass
class Product:
    """A matrix that learns, its input, and the tensor at which its error is asked for.

    The error at the matrix's own output is `sign` times that; `bias` is added to the output.
    """

    name: str
    weight: torch.Tensor
    input: torch.Tensor
    at: torch.Tensor
    sign: float = 1.0
    bias: torch.Tensor | None = None


def product(x, weight, bias=None):
    """x Wᵀ + b, at which autograd can be asked for the error even where nothing before it learns."""
    out = F.linear(x, weight, bias)
    return out if out.requires_grad else out.requires_grad_()


def ei_layer(x, w):
    """z = x W_exᵀ − (x W_ixᵀ) W_eiᵀ + b, by thin products; the subtraction is part of the last."""
    units = product(x, w["w_ix"])
    excitation = F.linear(x, w["w_ex"], w["bias"])
    z = torch.addmm(excitation, units, w["w_ei"].t(), alpha=-1)
    return z, [
        Product("w_ex", w["w_ex"], x, z, bias=w["bias"]),
        Product("w_ei", w["w_ei"], units, z, sign=-1.0),
        Product("w_ix", w["w_ix"], x, units),
    ]


def i_norm_layer(x, w, full):
    """z = (a − s)/q, its local loss, and the products that learn (W_ei and U_ei stay as they are)."""
    constant = x.detach()
    a = product(x, w["w_ex"], w["bias"])
    units = product(constant, w["w_ix"])
    drive = product(constant, w["u_ix"])
    z, local = Normalize.apply(a, units, w["w_ei"], drive, full)
    return z, local, [
        Product("w_ex", w["w_ex"], x, a, bias=w["bias"]),
        Product("w_ix", w["w_ix"], constant, units),
        Product("u_ix", w["u_ix"], constant, drive),
    ]


class Normalize(torch.autograd.Function):
    """What an I-Norm layer does behind its products, with one backward pass for both losses.

    Forward: s = units W_eiᵀ, q = sqrt(drive² U_eiᵀ + ε), z = (a − s)/q and the local loss, the batch
    mean of m² + (v − 1)² with m and v the mean and variance of a row of z. U_ei = 1/n_e everywhere, so
    q is one number an example.

    Backward: the task's error δ at z, normalized if `full`, goes to a, with s and q constant; the
    local loss goes to s and q, with a constant. Written as two graphs, autograd would compute the
    same z twice; here the passes share it.
    """

    @staticmethod
    def forward(ctx, a, units, w_ei, drive, full):
        n_e = a.shape[1]
        q = drive.square().sum(1, keepdim=True).div_(n_e).add_(EPSILON).sqrt_()
        z = torch.addmm(a, units, w_ei.t(), alpha=-1).div_(q)
        mean = z.mean(1, keepdim=True)
        centered = z - mean
        variance = centered.square().mean(1, keepdim=True)
        local = (mean.square() + (variance - 1).square_()).mean()
        ctx.save_for_backward(w_ei, drive, q, z, mean, centered, variance)
        ctx.full = full
        return z, local

    @staticmethod
    def backward(ctx, delta, weight):
        w_ei, drive, q, z, mean, centered, variance = ctx.saved_tensors
        batch, n_e = z.shape
        if ctx.full:
            delta = grad_norm_full(z, delta, variance)
        # The slope of the local loss at z is c (m + 2 (v − 1)(z − m)) with c = 2/(batch n_e); its
        # product with z sums over a row to c n_e (m² + 2 (v − 1) v).
        c = weight * (2 / (batch * n_e))
        slope = (variance - 1).mul_(2)
        minus_s = torch.addcmul(mean, centered, slope).mul_(-c / q)
        to_drive = torch.addcmul(mean.square(), variance, slope).mul_(-c).div_(q.square())
        return delta.div(q), minus_s @ w_ei, None, drive * to_drive, None


def grad_norm_full(z, delta, variance):
    """(δ − mean δ − z (δ·z)/n_e) / sqrt(var z + ε)"""
    along = (delta * z).mean(1, keepdim=True)
    centered = delta - delta.mean(1, keepdim=True)
    return centered.addcmul_(z, along, value=-1).div_((variance + EPSILON).sqrt_())


@dataclass
class Network:
    """Weights of each layer by name, with the condition that says how hidden layers use them."""

    condition: str
    layers: list

    def hidden(self, x, w):
        """A hidden layer before its ReLU: z, its local loss and the products that learn."""
        if self.condition.startswith("inorm"):
            return i_norm_layer(x, w, full=self.condition == "inorm+full")
        z, learning = ei_layer(x, w)
        if self.condition == "ln+":
            z = F.layer_norm(z, z.shape[1:], eps=EPSILON)
        return z, 0.0, learning

    def forward(self, x):
        """Logits, the sum of the local losses (0 without I-Norm) and the products that learn."""
        local, products = 0.0, []
        *hidden, readout = self.layers
        for w in hidden:
            z, own, learning = self.hidden(x, w)
            local = local + own
            products += learning
            x = F.relu(z)
        logits, learning = ei_layer(x, readout)
        return logits, local, products + learning


# --- Initialization ----------------------------------------------------------------------------


def draw_layer(n_in, n_e, n_i, rng, divisive):
    """Lognormal weights whose inhibition balances excitation; drawn in float64."""
    sigma = math.sqrt(2 * n_e / (n_in * (n_e - 1)))
    spread = math.sqrt(math.log(2))  # standard deviation = mean

    def lognormal(*shape):
        return torch.from_numpy(rng.lognormal(math.log(sigma) - spread**2 / 2, spread, shape))

    w_ex, w_ei = lognormal(n_e, n_in), lognormal(n_e, n_i)
    w_ei /= w_ei.sum(1, keepdim=True)
    w_ix = w_ex.mean(0, keepdim=True).repeat(n_i, 1)
    layer = {"w_ex": w_ex, "w_ix": w_ix, "w_ei": w_ei, "bias": torch.zeros(n_e)}
    if divisive:
        layer["u_ix"] = balanced_u_ix(w_ex, w_ix, w_ei)
    return layer


def balanced_u_ix(w_ex, w_ix, w_ei):
    """U_ix = S Vᵀ of the thin SVD of W_ex − W_ei W_ix: the layer starts out as LayerNorm."""
    _, s, v_t = torch.linalg.svd(w_ex - w_ei @ w_ix, full_matrices=False)
    return s[:, None] * v_t


def draw_network(condition, width, seed, device="cpu"):
    """A network in float32 with two hidden layers and one inhibitory unit in the readout."""
    rng = np.random.default_rng(seed)
    divisive = condition.startswith("inorm")
    n_i = max(1, int(width * 0.1 + 1e-9))
    layers = [
        draw_layer(PIXELS, width, n_i, rng, divisive),
        draw_layer(width, width, n_i, rng, divisive),
        draw_layer(width, CLASSES, 1, rng, False),
    ]
    return Network(condition, [{k: v.float().contiguous().to(device) for k, v in l.items()} for l in layers])


# --- Learning ----------------------------------------------------------------------------------


@dataclass
class Rates:
    """Learning rates of the populations of synapses, and the weight of the local losses."""

    excitatory: float = 0.0098
    bias: float = 0.0098
    inhibitory_out: float = 0.00294
    inhibitory_in: float = 0.646
    local: float = 0.01


class Trainer:
    """Plain SGD with a rate for each population, and Dale's law by clamping after each step."""

    def __init__(self, network, rates, fused=False):
        self.network, self.local, self.fused = network, rates.local, fused
        # Smoothed targets by class: cheaper than the option `label_smoothing`, and the same numbers.
        w = network.layers[-1]["w_ex"]
        classes = len(w)
        self.targets = torch.full((classes, classes), LABEL_SMOOTHING / classes, dtype=w.dtype, device=w.device)
        self.targets.diagonal().add_(1 - LABEL_SMOOTHING)
        self.rates = {
            "w_ex": rates.excitatory,
            "bias": rates.bias,
            "w_ei": rates.inhibitory_out,
            "w_ix": rates.inhibitory_in,
            "u_ix": rates.inhibitory_in,
        }

    def step(self, x, labels):
        """One step on a batch; returns the loss of the task before it."""
        logits, local, products = self.network.forward(x)
        task = F.cross_entropy(logits, self.targets.index_select(0, labels))
        loss = task + self.local * local
        errors = torch.autograd.grad(loss, [p.at for p in products])
        with torch.no_grad():
            for p, error in zip(products, errors):
                rate = self.rates[p.name] * p.sign
                if self.fused:
                    p.weight.addmm_(error.t(), p.input, alpha=-rate)
                else:
                    p.weight.sub_(error.t() @ p.input, alpha=rate)
                if p.name != "u_ix":
                    p.weight.clamp_(min=0)
                if p.bias is not None:
                    p.bias.sub_(error.sum(0), alpha=self.rates["bias"])
        return task


# --- Data --------------------------------------------------------------------------------------


def read_idx(folder, name, header):
    """The bytes of an IDX file behind its header of so many bytes, stored raw or gzipped."""
    raw, packed = folder / name, folder / f"{name}.gz"
    content = raw.read_bytes() if raw.is_file() else gzip.open(packed).read()
    count = struct.unpack_from(">I", content, 4)[0]
    return torch.frombuffer(bytearray(content[header:]), dtype=torch.uint8).view(count, -1)


def load(source, seed):
    """Training images [n, 784] as bytes, and their labels."""
    if source == "synthetic":
        rng = torch.Generator().manual_seed(seed)
        images = torch.randint(256, (10_000, PIXELS), dtype=torch.uint8, generator=rng)
        return images, torch.randint(CLASSES, (10_000,), generator=rng)
    folder = Path(source)
    images = read_idx(folder, "train-images-idx3-ubyte", 16)
    return images, read_idx(folder, "train-labels-idx1-ubyte", 8).flatten().long()


def stimulus(images, indices, shifts):
    """x ← clamp(pixels/255 + shift, 0, 1), a shift for each image."""
    return images.index_select(0, indices).float().div_(255).add_(shifts).clamp_(0, 1)


class Graph:
    """A step whose kernels are recorded once and then launched together, on a GPU."""

    def __init__(self, step, *inputs):
        self.inputs = [tensor.clone() for tensor in inputs]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                step(*self.inputs)
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.output = step(*self.inputs)

    def __call__(self, *inputs):
        for own, new in zip(self.inputs, inputs):
            own.copy_(new)
        self.graph.replay()
        return self.output


def train(trainer, images, labels, epsilon, batch, steps, graphs=False):
    """Trains for `steps` after the warm-up; returns ms per step and the mean of the last losses."""
    made, elapsed, last = -WARM_UP, 0.0, []
    device = images.device
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None

    def step(indices, shift):
        return trainer.step(stimulus(images, indices, shift), labels.index_select(0, indices)).detach()

    while made < steps:
        order = torch.randperm(len(images)).to(device)
        shifts = torch.empty(len(images), 1).uniform_(-epsilon, epsilon).to(device)
        start = time.perf_counter()
        for indices, shift in zip(order.split(batch), shifts.split(batch)):
            if graphs and made == -WARM_UP:
                step = Graph(step, indices, shift)
            whole = len(indices) == batch
            if not whole and graphs:
                continue
            loss = step(indices, shift)
            made += 1
            if made == 0:
                wait()
                start = time.perf_counter()
            if made > steps - 100:
                last.append(loss.clone())
            if made == steps:
                break
        wait()
        if made > 0:
            elapsed += time.perf_counter() - start
    return 1e3 * elapsed / steps, torch.stack(last).mean().item()


def prepare(threads, precision):
    """Settings of PyTorch; before any work, so that its worker threads inherit them."""
    # Rows of a nearly silent layer run into denormals, which many CPUs compute slowly.
    torch.set_flush_denormal(True)
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(precision)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--version", action="version", version=f"PyTorch {torch.__version__}")
    parser.add_argument("--condition", choices=CONDITIONS, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=3000, help="timed steps, after 20 of warm-up")
    parser.add_argument("--width", type=int, default=500)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epsilon", type=float, default=0.75)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", default=EMBEDDED, help="folder with the IDX files, or: synthetic")
    parser.add_argument("--precision", choices=("highest", "medium"), default="highest",
                        help="PyTorch's float32 products; highest is its default (see README.md)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--graphs", action="store_true", help="record the step as a CUDA graph")
    parser.add_argument("--fused", action="store_true", help="update without forming gradients")
    options = parser.parse_args()
    prepare(options.threads, options.precision)
    torch.manual_seed(options.seed)
    trainer = Trainer(draw_network(options.condition, options.width, options.seed, options.device), Rates(), options.fused)
    images, labels = (tensor.to(options.device) for tensor in load(options.data, options.seed))
    ms, loss = train(trainer, images, labels, options.epsilon, options.batch, options.steps, options.graphs)
    print(json.dumps({
        "condition": options.condition, "threads": options.threads, "steps": options.steps,
        "device": options.device, "graphs": options.graphs,
        "ms_per_step": ms, "final_loss": loss, "torch": torch.__version__,
    }))


if __name__ == "__main__":
    main()
