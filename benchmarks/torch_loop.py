"""Pictures a second of training `tiny`: our torch engine beside a loop written by hand with PyTorch's own parts.

    python benchmarks/torch_loop.py --json torch_loop.json

Pictures are random pixels, of 96 x 96 in colour with three labels and of 28 x 28 in grey with ten classes; network,
batch and augmentation are those that the preset `good` of `tiny` says for them, the precision that which is faster
here, or --precision.

- ours: `TorchEngine.train_span`, as a training calls it.
- loop: the same network of `torch.nn` modules, channels last; a `Dataset` that changes each picture as the plan says
  (moved, zoomed, mirrored, recoloured; nearest pixels), a `DataLoader` in the same process; bfloat16, where it is that,
  by autocast; the loss from logits of PyTorch; AdamW, fused. loop, 1 worker: with a process that prepares batches.
- loop, compiled: the network by `torch.compile`, whose compilation is timed apart.

All take turns in one process, --rounds times, and each figure is a median over the rounds. `share` says where ours
spends a step. That both networks are the same one is checked by their predictions with the same parameters.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from machine import machine, show, spread, write_json
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from fromlogits.data.features import Features
from fromlogits.engines import precision
from fromlogits.engines.base import Steps
from fromlogits.engines.torch import TorchEngine
from fromlogits.presets import Task, tiny
from fromlogits.spec import NORM_EPSILON, NORM_MOMENTUM, PRECISIONS, Convolution, Dense, Network, Plan, Residual

TASKS = {"96 x 96, colour": ((96, 96, 3), 6_700, "sigmoid", 3), "28 x 28, grey": ((28, 28), 60_000, "softmax", 10)}
"""Shape, rows of the training that the plan is for, head and outputs."""
SCALE, SHIFT = 1 / 64, -2.0
STEPS = 25
PARTS = ("_entering", "_changed", "_forward", "_head", "_update")


# --- the loop by hand ---


def convolution(one: Convolution) -> nn.Sequential:
    weights = nn.Conv2d(one.inputs, one.outputs, one.size, one.stride, 0 if one.size == 1 else 1, bias=False)
    return nn.Sequential(weights, nn.BatchNorm2d(one.outputs, NORM_EPSILON, NORM_MOMENTUM))


class Block(nn.Module):
    def __init__(self, first: Convolution, second: Convolution, shortcut: Convolution | None) -> None:
        super().__init__()
        self.first, self.second = convolution(first), convolution(second)
        self.shortcut = nn.Identity() if shortcut is None else convolution(shortcut)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x))


class ByHand(nn.Module):
    def __init__(self, layer: Residual, channels: int, outputs: int) -> None:
        super().__init__()
        self.stem = convolution(layer.stem(channels))
        self.blocks = nn.Sequential(*(Block(*one) for one in layer.stages()))
        self.last = nn.Linear(layer.widths[-1], outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.blocks(F.relu(self.stem(x))).mean(dim=(2, 3)))


class Pictures(Dataset[tuple[Tensor, Tensor]]):
    """Changed at random, one at a time."""

    def __init__(self, x: Tensor, y: Tensor, plan: Plan) -> None:
        self.x, self.y, self.plan = x, y, plan

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        plan, picture = self.plan, self.x[row]
        h, w = picture.shape[1:]
        signed = 2 * torch.rand(4) - 1
        zoom = (1 + plan.zoom) ** float(signed[0])
        ys, xs = (
            (((torch.arange(side) - (side - 1) / 2) / zoom) + (side - 1) / 2 + plan.shift * side * moved)
            .round().clamp(0, side - 1).long()
            for side, moved in ((h, signed[1]), (w, signed[2]))
        )  # fmt: skip
        if plan.flip and torch.rand(()) < 0.5:
            xs = xs.flip(0)
        picture = picture.index_select(2, xs).index_select(1, ys).float() * SCALE + SHIFT
        if plan.colour > 0:
            shift = plan.colour * (signed[3] + 2 * torch.rand(len(picture), 1, 1) - 1) / 2
            picture = picture * (1 + plan.colour * (2 * torch.rand(()) - 1)) + shift
        if plan.cut_out > 0:
            high, wide = round(plan.cut_out * h), round(plan.cut_out * w)
            top, left = int(torch.randint(-high, h, ())), int(torch.randint(-wide, w, ()))
            picture[:, max(top, 0) : max(top + high, 0), max(left, 0) : max(left + wide, 0)] = 0
        return picture, self.y[row]


def by_hand(
    layer: Residual, plan: Plan, x: Any, y: Any, head: str, outputs: int, workers: int, *, compiles: bool
) -> Callable[[], None]:
    """What trains one pass over the pictures."""
    pictures = torch.from_numpy(x.reshape(*x.shape[:3], -1)).permute(0, 3, 1, 2).contiguous()
    targets = torch.from_numpy(y).long() if head == "softmax" else torch.from_numpy(y)
    network: Any = ByHand(layer, pictures.shape[1], outputs).to(memory_format=torch.channels_last)
    forward = torch.compile(network) if compiles else network
    optimizer = torch.optim.AdamW(network.parameters(), plan.learning_rate, weight_decay=plan.weight_decay, fused=True)
    loss_of = F.cross_entropy if head == "softmax" else F.binary_cross_entropy_with_logits
    loader = DataLoader(
        Pictures(pictures, targets, plan), plan.batch_size, shuffle=True, num_workers=workers,
        persistent_workers=workers > 0,
    )  # fmt: skip

    def a_pass() -> None:
        for some, of_some in loader:
            with torch.autocast("cpu", torch.bfloat16, enabled=plan.precision == "bfloat16"):
                logits = forward(some.to(memory_format=torch.channels_last))
            loss_of(logits.float(), of_some).backward()
            optimizer.step()
            optimizer.zero_grad()

    return a_pass


# --- ours ---


def ours(
    network: Network, plan: Plan, x: Any, y: Any, head: Any, threads: int
) -> tuple[TorchEngine, Callable[[], None]]:
    engine = TorchEngine(network, head, n_threads=threads, device="cpu")
    engine.initialise(0)
    engine.start(plan, 0)
    features = Features(x.reshape(len(x), -1), SCALE, SHIFT)
    steps = Steps(np.full(len(x) // plan.batch_size, plan.learning_rate))
    return engine, lambda: engine.train_span(features, y, np.random.permutation(len(x)), steps) and None


def shares(engine: TorchEngine, a_pass: Callable[[], None]) -> dict[str, float]:
    """Of the seconds of a pass the share of each part; what is left, "backward", is the gradient and the loop."""
    spent = dict.fromkeys(PARTS, 0.0)

    def timed(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            start = time.perf_counter()
            found = method(*arguments)
            spent[name] += time.perf_counter() - start
            return found

        return run

    for name in PARTS:
        setattr(engine, name, timed(name, getattr(engine, name)))
    start = time.perf_counter()
    a_pass()
    total = time.perf_counter() - start
    for name in PARTS:
        delattr(engine, name)
    found = {name.strip("_"): seconds / total for name, seconds in spent.items()}
    return found | {"backward": 1 - sum(found.values())}


def same(engine: TorchEngine, layer: Residual, x: Any) -> bool:
    """Whether the network by hand, with the parameters of ours, predicts the same logits of a few pictures."""
    of_layer, (weights, biases) = engine.parameters()
    module = ByHand(layer, engine.network.channels, engine.network.n_outputs).eval()
    each = iter(of_layer)
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            part.weight.data = torch.from_numpy(next(each))
        if isinstance(part, nn.BatchNorm2d):
            for array in (part.weight, part.bias, part.running_mean, part.running_var):
                array.data = torch.from_numpy(next(each))
    module.last.weight.data, module.last.bias.data = torch.from_numpy(weights), torch.from_numpy(biases)
    few = x[:8].reshape(8, *x.shape[1:3], -1)
    with torch.no_grad():
        theirs = module(torch.from_numpy(few).permute(0, 3, 1, 2).float() * SCALE + SHIFT).numpy()
    own = engine.logits(Features(few.reshape(8, -1), SCALE, SHIFT))
    return next(each, None) is None and np.allclose(own, theirs, rtol=1e-3, atol=1e-4)


# --- both ---


def rounds(passes: dict[str, Callable[[], None]], n_pictures: int, count: int) -> Iterator[tuple[str, float]]:
    """Pictures a second, by turns."""
    for _ in range(count):
        for name, a_pass in passes.items():
            start = time.perf_counter()
            a_pass()
            yield name, n_pictures / (time.perf_counter() - start)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures with what they were measured on; 1 when ours is slower than the loop by hand."""
    parser = argparse.ArgumentParser(description="Pictures a second beside a loop by hand.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=PRECISIONS, help="of the convolutions; otherwise the faster one")
    parser.add_argument("--compile", action="store_true", help="the loop with torch.compile too, which takes minutes")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    facts = machine("torch")
    show(facts)
    torch.set_num_threads(options.threads)
    narrow = options.precision or precision.fastest("torch", "cpu")
    report: dict[str, Any] = {**facts, "threads": options.threads, "precision": narrow, "tasks": {}}
    print(f"precision: {narrow}")
    status = 0
    for title, (shape, n_rows, head, outputs) in TASKS.items():
        recipe = tiny("good", Task(n_rows, kind="picture", picture_shape=shape, precision=narrow))
        plan = Plan().replace(recipe.plan)
        layer = recipe.layers[0]
        assert isinstance(layer, Residual)
        network = Network([layer, Dense(outputs)], int(np.prod(shape)), picture_shape=shape)
        random = np.random.default_rng(0)
        n = STEPS * plan.batch_size
        x = random.integers(0, 256, (n, *shape)).astype(np.uint8)
        y: Any = random.integers(0, 2, (n, outputs)).astype(np.float32)
        if head == "softmax":
            y = random.integers(0, outputs, n).astype(np.int32)
        engine, own = ours(network, plan, x, y, head, options.threads)
        made = (layer, plan, x, y, head, outputs)
        passes = {
            "ours": own,
            "loop": by_hand(*made, 0, compiles=False),
            "loop, 1 worker": by_hand(*made, 1, compiles=False),
        }
        if options.compile:
            passes["loop, compiled"] = by_hand(*made, 0, compiles=True)
        first = {}
        for name, a_pass in passes.items():
            start = time.perf_counter()
            a_pass()
            first[name] = time.perf_counter() - start
        found: dict[str, list[float]] = {name: [] for name in passes}
        for name, speed in rounds(passes, n, options.rounds):
            found[name].append(speed)
        part = shares(engine, own)
        engine.finish()
        if not same(engine, layer, x):
            raise SystemExit("the network by hand is another one than ours")
        report["tasks"][title] = {
            "network": str(layer), "batch_size": plan.batch_size, "first_pass_s": first, "shares": part,
            "pictures_per_s": {name: spread(speeds) for name, speeds in found.items()},
        }  # fmt: skip
        medians = {name: statistics.median(speeds) for name, speeds in found.items()}
        print(f"{title}: {layer}, batches of {plan.batch_size}")
        for name, speeds in found.items():
            low, high = min(speeds), max(speeds)
            print(f"  {name}: {medians[name]:.0f} pictures/s ({low:.0f} to {high:.0f}), first pass {first[name]:.1f} s")
        print("  ours spends " + ", ".join(f"{name} {100 * share:.0f} %" for name, share in part.items()), flush=True)
        status |= medians["ours"] < max(medians["loop"], medians["loop, 1 worker"])
    write_json(options.json, report)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
