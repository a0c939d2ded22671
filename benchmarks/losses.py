"""Loss and gradient to the logits: nanoseconds per logit of ours, PyTorch and JAX, in one process.

    python benchmarks/losses.py --json losses.json
    python docs/reference/make_losses_md.py losses.json

Float32 logits, mean reduction, each library as its users call it:

- fromlogits: `softmax_cross_entropy(logits, labels, with_gradient=True)`, and the same of the sigmoid, on NumPy arrays.
- PyTorch: `F.cross_entropy` or `F.binary_cross_entropy_with_logits` of a leaf, and `backward()`.
- JAX: the jitted `value_and_grad` of optax's loss, until the result is there: of the softmax once with
  `softmax_cross_entropy_with_integer_labels` and once with `log_softmax` and a gather.

For each number of threads a process of its own, bound to so many cores before anything is imported. In it, for each
shape: calls for --seconds of each contender in turn, again and again, so that a slow moment of the machine meets all of
them; before each turn some calls that are not counted, while caches fill and the threads of the one before go to sleep.
A ratio is ours over theirs within one round. A library that is not installed is named and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, show, spread, threads, write_json

import fromlogits as fl

SHAPES: dict[str, tuple[int, ...]] = {
    "softmax 32 × 10": (32, 10),
    "softmax 4 096 × 10": (4096, 10),
    "softmax 100 000 × 10": (100_000, 10),
    "softmax 4 096 × 100": (4096, 100),
    "softmax 4 096 × 1 000": (4096, 1000),
    "softmax 64 × 100 000": (64, 100_000),
    "sigmoid 100 000": (100_000,),
    "sigmoid 4 000 000": (4_000_000,),
}
"""Rows and classes, or entries."""
OURS = "fromlogits"
UNCOUNTED = 0.3
"""Calls before each turn, as a share of those that count."""

Call = Callable[[], Any]
"""One loss with its gradient."""
Maker = Callable[[Any, Any], dict[str, Call]]
"""From logits and targets to the contenders of one library."""


def ours(logits: Any, targets: Any) -> dict[str, Call]:
    function = fl.softmax_cross_entropy if logits.ndim == 2 else fl.sigmoid_cross_entropy
    return {OURS: lambda: function(logits, targets, with_gradient=True)}


def torch_calls(logits: Any, targets: Any) -> dict[str, Call]:
    import torch

    torch.set_num_threads(threads())
    functional = torch.nn.functional
    function = functional.cross_entropy if logits.ndim == 2 else functional.binary_cross_entropy_with_logits
    z, t = torch.from_numpy(logits.copy()).requires_grad_(), torch.from_numpy(targets)

    def call() -> Any:
        z.grad = None
        loss = function(z, t)
        loss.backward()
        return loss.detach(), z.grad

    return {"PyTorch": call}


def jax_calls(logits: Any, targets: Any) -> dict[str, Call]:
    import jax
    import jax.numpy as jnp
    import optax

    def by_log_softmax(z_nc: Any, y_n: Any) -> Any:
        return -jnp.take_along_axis(jax.nn.log_softmax(z_nc), y_n[:, None], axis=1).mean()

    if logits.ndim == 2:
        integer = optax.softmax_cross_entropy_with_integer_labels
        losses = {"JAX, optax": lambda z, t: integer(z, t).mean(), "JAX, log_softmax": by_log_softmax}
    else:
        losses = {"JAX, optax": lambda z, t: optax.sigmoid_binary_cross_entropy(z, t).mean()}
    z, t = jnp.asarray(logits), jnp.asarray(targets)

    def call_of(loss: Callable[[Any, Any], Any]) -> Call:
        compiled = jax.jit(jax.value_and_grad(loss))
        return lambda: jax.block_until_ready(compiled(z, t))

    return {name: call_of(loss) for name, loss in losses.items()}


def arrays(shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Logits, and class numbers or zeros and ones, in the types that each library takes as they are."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, shape).astype(np.float32)
    if len(shape) == 2:
        return logits, rng.integers(shape[1], size=shape[0])
    return logits, rng.integers(2, size=shape).astype(np.float32)


def seconds_of(call: Call, times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        call()
    return time.perf_counter() - start


def measure(shape: tuple[int, ...], makers: Sequence[Maker], rounds: int, seconds: float) -> dict[str, Any]:
    """ns per logit of each contender, and ratios, one of each per round."""
    logits, targets = arrays(shape)
    calls = {name: call for maker in makers for name, call in maker(logits, targets).items()}
    values, times = {}, {}
    for name, call in calls.items():
        loss, gradient = call()
        values[name] = [float(loss), float(np.abs(np.asarray(gradient)).sum(dtype=np.float64))]
        seconds_of(call, 2)
        once = min(seconds_of(call, 3) / 3 for _ in range(3))
        times[name] = max(1, round(seconds / once))
    first = values[OURS]
    for name, other in values.items():
        if not np.allclose(other, first, rtol=1e-4):
            raise SystemExit(f"{name} computes something else than ours: loss, sum of |gradient| {other} and {first}")

    per_logit: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            seconds_of(call, max(1, round(UNCOUNTED * times[name])))
            per_logit[name].append(seconds_of(call, times[name]) / times[name] / logits.size * 1e9)
    return {
        name: {
            "ns_per_logit": spread(taken),
            "ours_over_theirs": spread([mine / its for mine, its in zip(per_logit[OURS], taken, strict=True)]),
            "calls_a_round": times[name],
        }
        for name, taken in per_logit.items()
    }


def one_process(options: argparse.Namespace) -> dict[str, Any]:
    """All shapes with as many threads as this process has cores."""
    makers: list[Maker] = [ours]
    if find_spec("torch"):
        makers.append(torch_calls)
    if find_spec("jax") and find_spec("optax"):
        makers.append(jax_calls)
    results = {}
    print(f"{threads()} thread{'s' if threads() > 1 else ''}", flush=True)
    for name in options.shapes:
        results[name] = measure(SHAPES[name], makers, options.rounds, options.seconds)
        print(f"  {name}")
        for who, found in results[name].items():
            taken, ratio = found["ns_per_logit"], found["ours_over_theirs"]
            text = (
                f"    {who:<18}{taken['median']:>8.2f} ns per logit ({taken['lowest']:.2f} to {taken['highest']:.2f})"
            )
            if who != OURS:
                text += f"   ours / theirs {ratio['median']:.2f} ({ratio['lowest']:.2f} to {ratio['highest']:.2f})"
            print(text, flush=True)
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures with what they were measured on."""
    parser = argparse.ArgumentParser(description="Speed of losses and gradients beside PyTorch and JAX.")
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, min(2, threads())}), help="(default 1 2)")
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.1, help="of each contender in each round, about")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--in-this-process", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.in_this_process:
        write_json(options.json, one_process(options))
        return 0

    facts = machine("torch", "jax", "jaxlib", "optax")
    show(facts)
    left_out = [name for name in ("torch", "jax", "optax") if find_spec(name) is None]
    if left_out:
        print(f"not installed: {', '.join(left_out)}; its figures are left out\n")
    if max(options.threads) > threads():
        parser.error(f"--threads: this process may use {threads()} cores")
    report: dict[str, Any] = {**facts, "rounds": options.rounds, "threads": {}}
    cores = sorted(os.sched_getaffinity(0))
    for count in options.threads:
        with tempfile.TemporaryDirectory() as folder:
            part = Path(folder) / "part.json"
            own = [f"--rounds={options.rounds}", f"--seconds={options.seconds}", "--in-this-process", f"--json={part}"]
            os.sched_setaffinity(0, cores[:count])  # the process that starts now keeps it
            subprocess.run([sys.executable, __file__, *own, "--shapes", *options.shapes], check=True)
            os.sched_setaffinity(0, cores)
            report["threads"][str(count)] = json.loads(part.read_text(encoding="utf-8"))
    write_json(options.json, report)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
