#!/usr/bin/env python3
"""The luminosity experiment's training step in JAX, for a comparison of speed.

The same networks, equations, rates and images as `twin.py`, written as a JAX user would: the whole
training loop is one compiled `lax.scan` over the steps of an epoch, with the weights' buffers donated
and each batch made inside of it. `--population` trains many networks at once by `vmap`, each with its own
weights, order and shifts. Matrices are stored [inputs, outputs]. `check_jax.py` holds it against the
golden cases.
"""

import argparse
import gzip
import json
import math
import os
import struct
import sys
import time
from functools import partial
from pathlib import Path

CONDITIONS = ("none", "ln+", "inorm", "inorm+full")
EPSILON = 1e-5
LABEL_SMOOTHING = 0.1
PIXELS, CLASSES = 784, 10
EMBEDDED = Path(__file__).resolve().parents[2] / "crates" / "luminosity" / "data"
# Rates of the populations of synapses; the local losses count 0.01.
RATES = {"w_ex": 0.0098, "bias": 0.0098, "w_ei": 0.00294, "w_ix": 0.646, "u_ix": 0.646}
LOCAL = 0.01


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--version", action="store_true")
    parser.add_argument("--condition", choices=CONDITIONS, default="none")
    parser.add_argument("--cores", default="0", help="the cores to run on, separated by commas")
    parser.add_argument("--steps", type=int, default=3000, help="timed steps, after an epoch")
    parser.add_argument("--width", type=int, default=500)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epsilon", type=float, default=0.75)
    parser.add_argument("--population", type=int, default=1, help="networks trained at once")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", choices=("default", "highest"), default="default",
                        help="JAX's float32 products; its default may round more on a GPU")
    parser.add_argument("--data", type=Path, default=EMBEDDED, help="folder with the IDX files")
    return parser.parse_args()


OPTIONS = parse() if __name__ == "__main__" else None
if OPTIONS and hasattr(os, "sched_setaffinity"):
    # Before JAX starts its threads: it takes as many as it may use cores.
    os.sched_setaffinity(0, {int(core) for core in OPTIONS.cores.split(",")})

try:
    import jax
    import jax.numpy as jnp
    import numpy as np
    from jax import lax
except ImportError as error:
    sys.exit(f"jax_twin.py: {error}; pip install -r {Path(__file__).with_name('requirements.txt')}")

constant = lax.stop_gradient


def ei_layer(x, w):
    return x @ w["w_ex"] + w["bias"] - (x @ w["w_ix"]) @ w["w_ei"]


def layer_norm(z):
    centered = z - z.mean(1, keepdims=True)
    return centered * lax.rsqrt(jnp.square(centered).mean(1, keepdims=True) + EPSILON)


@jax.custom_vjp
def normalize_error(z):
    """z; its error δ becomes (δ − mean δ − z (δ·z)/n_e) / sqrt(var z + ε)."""
    return z


def normalize_error_backward(z, delta):
    along = (delta * z).mean(1, keepdims=True)
    centered = delta - delta.mean(1, keepdims=True) - z * along
    return (centered / jnp.sqrt(z.var(1, keepdims=True) + EPSILON),)


normalize_error.defvjp(lambda z: (z, z), normalize_error_backward)


def i_norm_layer(x, w, full):
    """z = (a − s)/q, and its local loss."""
    outside = constant(x)
    a = x @ w["w_ex"] + w["bias"]
    s = (outside @ w["w_ix"]) @ w["w_ei"]
    q = jnp.sqrt(jnp.square(outside @ w["u_ix"]).mean(1, keepdims=True) + EPSILON)
    z = (a - constant(s)) / constant(q)
    of_inhibition = (constant(a) - s) / q
    mean, variance = of_inhibition.mean(1), of_inhibition.var(1)
    local = (jnp.square(mean) + jnp.square(variance - 1)).mean()
    return normalize_error(z) if full else z, local


def forward(condition, layers, x):
    """Logits, and the sum of the local losses."""
    local = 0.0
    *hidden, readout = layers
    for w in hidden:
        if condition.startswith("inorm"):
            z, own = i_norm_layer(x, w, condition == "inorm+full")
            local = local + own
        else:
            z = ei_layer(x, w)
            z = layer_norm(z) if condition == "ln+" else z
        x = jax.nn.relu(z)
    return ei_layer(x, readout), local


def step(condition, rates, weight, layers, x, labels):
    """The layers after a step on a batch, and the loss of the task before it."""

    def objective(layers):
        logits, local = forward(condition, layers, x)
        log_p = jax.nn.log_softmax(logits)
        of_class = jnp.take_along_axis(log_p, labels[:, None], 1).mean()
        task = -(1 - LABEL_SMOOTHING) * of_class - LABEL_SMOOTHING * log_p.mean()
        return task + weight * local, task

    slopes, task = jax.grad(objective, has_aux=True)(layers)

    def updated(index, name, w):
        divisive = condition.startswith("inorm") and index < len(layers) - 1
        if divisive and name == "w_ei":
            return w
        after = w - rates[name] * slopes[index][name]
        return after if name in ("u_ix", "bias") else jnp.maximum(after, 0)

    return [
        {name: updated(index, name, w) for name, w in layer.items()}
        for index, layer in enumerate(layers)
    ], task


@partial(jax.jit, static_argnums=0, donate_argnums=1)
def epoch(condition, layers, images, labels, order, shifts):
    """An epoch of every network of a population: the layers, and the losses `[networks, steps]`.

    Order and shifts are `[networks, steps, batch]`.
    """
    of_one = partial(epoch_of_one, condition)
    if len(order) == 1:
        # Without vmap, products have no axis more than a user of one network would give them.
        first = jax.tree.map(lambda a: a[0], (layers, order, shifts))
        trained = of_one(first[0], images, labels, *first[1:])
        return jax.tree.map(lambda a: a[None], trained)
    return jax.vmap(of_one, (0, None, None, 0, 0))(layers, images, labels, order, shifts)


def epoch_of_one(condition, layers, images, labels, order, shifts):
    """Training on the images in `order` `[steps, batch]`; the layers and the losses."""

    def body(layers, batch):
        indices, shift = batch
        pixels = images[indices].astype(jnp.float32) / 255
        x = jnp.clip(pixels + shift[:, None], 0, 1)
        return step(condition, RATES, LOCAL, layers, x, labels[indices])

    return lax.scan(body, layers, (order, shifts))


def draw_layer(n_in, n_e, n_i, rng, divisive):
    """Lognormal weights whose inhibition balances excitation."""
    sigma = math.sqrt(2 * n_e / (n_in * (n_e - 1)))
    spread = math.sqrt(math.log(2))  # standard deviation = mean

    def lognormal(*shape):
        return rng.lognormal(math.log(sigma) - spread**2 / 2, spread, shape)

    w_ex, w_ei = lognormal(n_in, n_e), lognormal(n_i, n_e)
    w_ei /= w_ei.sum(0, keepdims=True)
    w_ix = np.repeat(w_ex.mean(1, keepdims=True), n_i, 1)
    layer = {"w_ex": w_ex, "w_ix": w_ix, "w_ei": w_ei, "bias": np.zeros(n_e)}
    if divisive:
        layer["u_ix"] = w_ex - w_ix @ w_ei
    return {name: jnp.asarray(w, jnp.float32) for name, w in layer.items()}


def draw_network(condition, width, seed):
    rng = np.random.default_rng(seed)
    divisive = condition.startswith("inorm")
    n_i = max(1, int(width * 0.1 + 1e-9))
    return [
        draw_layer(PIXELS, width, n_i, rng, divisive),
        draw_layer(width, width, n_i, rng, divisive),
        draw_layer(width, CLASSES, 1, rng, False),
    ]


def read_idx(folder, name, header):
    """The bytes of an IDX file behind its header of so many bytes, stored raw or gzipped."""
    raw, packed = folder / name, folder / f"{name}.gz"
    content = raw.read_bytes() if raw.is_file() else gzip.open(packed).read()
    count = struct.unpack_from(">I", content, 4)[0]
    return np.frombuffer(content, np.uint8, offset=header).reshape(count, -1)


def train(options):
    """Milliseconds a step and the mean of the last 100 losses."""
    jax.config.update("jax_default_matmul_precision", options.precision)
    images = jnp.asarray(read_idx(options.data, "train-images-idx3-ubyte", 16))
    labels = jnp.asarray(read_idx(options.data, "train-labels-idx1-ubyte", 8)[:, 0].astype(np.int32))
    networks = [
        draw_network(options.condition, options.width, options.seed + network)
        for network in range(options.population)
    ]
    layers = jax.tree.map(lambda *each: jnp.stack(each), *networks)
    rng = np.random.default_rng(options.seed)
    steps = len(images) // options.batch
    shape = (options.population, steps, options.batch)

    def chunk():
        order = [rng.permutation(len(images))[: steps * options.batch] for _ in networks]
        shifts = rng.uniform(-options.epsilon, options.epsilon, shape)
        order = jnp.asarray(np.reshape(order, shape), jnp.int32)
        return order, jnp.asarray(shifts, jnp.float32)

    # The first epoch compiles the loop, and is not timed.
    layers, losses = epoch(options.condition, layers, images, labels, *chunk())
    losses.block_until_ready()
    made, elapsed = 0, 0.0
    while made < options.steps or made == 0:
        batches = chunk()
        start = time.perf_counter()
        layers, losses = epoch(options.condition, layers, images, labels, *batches)
        losses.block_until_ready()
        elapsed += time.perf_counter() - start
        made += steps
    return 1e3 * elapsed / made, float(losses[:, -100:].mean())


if __name__ == "__main__":
    if OPTIONS.version:
        print(f"JAX {jax.__version__}")
        sys.exit()
    ms, loss = train(OPTIONS)
    print(json.dumps({"condition": OPTIONS.condition, "steps": OPTIONS.steps, "population": OPTIONS.population,
                      "precision": OPTIONS.precision, "device": jax.devices()[0].device_kind,
                      "ms_per_step": ms, "network_steps_per_second": 1e3 * OPTIONS.population / ms,
                      "final_loss": loss, "jax": jax.__version__}))
