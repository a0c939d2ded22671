"""One network, trained three times: with the textbook loss, with PyTorch's loss from logits, and with ours.

    python benchmarks/textbook_training.py --json textbook_training.json
    python docs/maths/make_textbook_training_md.py textbook_training.json

The lesson's network, 25 relu, 15 relu and 10 linear units, on four fifths of examples/digits.csv, in float32 by a few
lines of NumPy. Same first weights, same batches in the same order, same optimizer: only the loss with its gradient to
the logits differs.

- textbook: probabilities by softmax, the loss −log p of the true class, and the chain rule through p: −1/p of the true
  class times the derivatives of the softmax, p(1 − p) and −p·p_k. All float32, nothing clipped.
- PyTorch: `F.cross_entropy` and `backward()`. Left out where it is not installed.
- ours: `fromlogits.softmax_cross_entropy`.
- mended PyTorch, in the first setting: PyTorch's gradient, of the true class minus the sum of the others. It tells
  whether that entry is what makes the difference.

Some 250 times in a training, over all training rows: the loss as each loss itself reports it, the true loss of the same
logits in float64, the norm of the gradient to all parameters as each computes it, and the true one; on the rows held
out, accuracy and true loss. `lost_rows` are those whose true class has gradient 0 though float32 can hold it. A
training ends early when its logits are no longer finite. The first setting is Adam as PyTorch has it by default; the
others are there so that the first can't be a lucky one. Two minutes on one core, where OPENBLAS_NUM_THREADS=1 keeps it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, show, write_json
from numpy.typing import NDArray
from truth import ROUNDS_TO_ZERO

import fromlogits as fl

Array = NDArray[Any]
Loss = Callable[[Array, Array], tuple[Any, Array]]
"""From logits (n, c) and classes (n,): the mean loss and its gradient (n, c)."""
Parameters = list[Array]
"""Weights (d, h) and biases (h,) of each layer in turn."""

DIGITS = Path(__file__).parent.parent / "examples" / "digits.csv"
UNITS = (64, 25, 15, 10)
TEXTBOOK, PEER, MENDED, OURS = "textbook", "PyTorch", "mended PyTorch", "fromlogits"
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
LOOKS = 250


@dataclass(frozen=True)
class Setting:
    """One way to train; a batch of 0 is all rows."""

    optimizer: str
    rate: float
    batch: int
    epochs: int
    seed: int

    def __str__(self) -> str:
        rows = f"batches of {self.batch}" if self.batch else "all rows at once"
        return f"{self.optimizer}, rate {self.rate:g}, {rows}, {self.epochs:,} epochs, seed {self.seed}"


SETTINGS = (
    Setting("Adam", 0.001, 128, 4000, 0),
    Setting("Adam", 0.001, 128, 4000, 1),
    Setting("Adam", 0.003, 128, 3000, 0),
    Setting("Adam", 0.003, 0, 5000, 0),
    Setting("SGD", 0.1, 32, 1000, 0),
)


def textbook_loss(logits_nc: Array, labels_n: Array) -> tuple[Any, Array]:
    rows_n = np.arange(len(labels_n))
    terms_nc = np.exp(logits_nc - logits_nc.max(axis=1, keepdims=True))
    p_nc = terms_nc / terms_nc.sum(axis=1, keepdims=True)
    p_n = p_nc[rows_n, labels_n]
    dp_n = -1 / p_n
    dlogits_nc = dp_n[:, None] * (-p_n[:, None] * p_nc)
    dlogits_nc[rows_n, labels_n] = dp_n * (p_n * (1 - p_n))
    return -np.log(p_n).mean(), dlogits_nc / np.float32(len(labels_n))


def torch_loss() -> Loss:
    import torch

    def loss_of(logits_nc: Array, labels_n: Array) -> tuple[Any, Array]:
        z = torch.from_numpy(logits_nc).requires_grad_()
        loss = torch.nn.functional.cross_entropy(z, torch.from_numpy(labels_n))
        loss.backward()
        return loss.item(), z.grad.numpy()

    torch.set_num_threads(1)
    return loss_of


def mended(loss_of: Loss) -> Loss:
    def mended_loss(logits_nc: Array, labels_n: Array) -> tuple[Any, Array]:
        loss, dlogits_nc = loss_of(logits_nc, labels_n)
        rows_n = np.arange(len(labels_n))
        dlogits_nc[rows_n, labels_n] = 0
        dlogits_nc[rows_n, labels_n] = -dlogits_nc.sum(axis=1)
        return loss, dlogits_nc

    return mended_loss


def our_loss(logits_nc: Array, labels_n: Array) -> tuple[Any, Array]:
    return fl.softmax_cross_entropy(logits_nc, labels_n, with_gradient=True)


def forward(parameters: Parameters, x_nd: Array) -> list[Array]:
    """What goes into each layer, and last the logits."""
    values = [x_nd]
    for layer in range(0, len(parameters), 2):
        z_nh = values[-1] @ parameters[layer] + parameters[layer + 1]
        values.append(z_nh if layer == len(parameters) - 2 else np.maximum(z_nh, 0))
    return values


def backward(parameters: Parameters, values: list[Array], dlogits_nc: Array) -> Parameters:
    gradient: Parameters = []
    d_nh = dlogits_nc
    for layer in range(len(parameters) - 2, -1, -2):
        x_nd = values[layer // 2]
        gradient = [x_nd.T @ d_nh, d_nh.sum(axis=0), *gradient]
        if layer:
            d_nh = (d_nh @ parameters[layer].T) * (x_nd > 0)
    return gradient


def first_parameters(seed: int) -> Parameters:
    """He's initialisation."""
    rng = np.random.default_rng(seed)
    pairs = [(rng.normal(0, np.sqrt(2 / d), (d, h)), np.zeros(h)) for d, h in pairwise(UNITS)]
    return [values.astype(np.float32) for pair in pairs for values in pair]


class Sgd:
    def __init__(self, rate: float) -> None:
        self.rate = np.float32(rate)

    def step(self, parameters: Parameters, gradient: Parameters) -> None:
        for values, d_values in zip(parameters, gradient, strict=True):
            values -= self.rate * d_values


class Adam:
    def __init__(self, rate: float) -> None:
        self.rate, self.t = rate, 0
        self.means: Parameters = []
        self.squares: Parameters = []

    def step(self, parameters: Parameters, gradient: Parameters) -> None:
        self.t += 1
        if not self.means:
            self.means, self.squares = ([np.zeros_like(values) for values in parameters] for _ in range(2))
        size = np.float32(self.rate / (1 - BETA1**self.t))
        correction = np.float32(1 / (1 - BETA2**self.t))
        for values, d_values, mean, square in zip(parameters, gradient, self.means, self.squares, strict=True):
            mean += np.float32(1 - BETA1) * (d_values - mean)
            square += np.float32(1 - BETA2) * (d_values * d_values - square)
            values -= size * mean / (np.sqrt(square * correction) + np.float32(EPSILON))


OPTIMIZERS: dict[str, Callable[[float], Sgd | Adam]] = {"SGD": Sgd, "Adam": Adam}


def norm(gradient: Parameters) -> float:
    return float(np.sqrt(sum((values.astype(np.float64) ** 2).sum() for values in gradient)))


def train(loss_of: Loss, setting: Setting, rows: dict[str, Any]) -> dict[str, list[float]]:
    """The record of one training: a list for each thing that is measured."""
    parameters = first_parameters(setting.seed)
    optimizer = OPTIMIZERS[setting.optimizer](setting.rate)
    rng = np.random.default_rng(setting.seed)
    x_nd, labels_n = rows["x_nd"], rows["labels_n"]
    n = len(labels_n)
    batch = setting.batch or n
    looks = set(np.linspace(1, setting.epochs, LOOKS).astype(int).tolist())
    record: dict[str, list[float]] = {}
    with np.errstate(all="ignore"):  # log 0, 1/0 and what follows are what this shows
        for epoch in range(1, setting.epochs + 1):
            order = rng.permutation(n)
            for start in range(0, n, batch):
                chosen = order[start : start + batch]
                values = forward(parameters, x_nd[chosen])
                _, dlogits_nc = loss_of(values[-1], labels_n[chosen])
                optimizer.step(parameters, backward(parameters, values, dlogits_nc))
            if epoch in looks:
                found = {"epoch": epoch, **look(loss_of, parameters, rows)}
                for name, value in found.items():
                    record.setdefault(name, []).append(value)
                if not np.isfinite(found["true_loss"]):
                    break
    return record


def look(loss_of: Loss, parameters: Parameters, rows: dict[str, Any]) -> dict[str, float]:
    """What is measured after an epoch."""
    values = forward(parameters, rows["x_nd"])
    logits_nc, labels_n = values[-1], rows["labels_n"]
    loss, dlogits_nc = loss_of(logits_nc, labels_n)
    wide = [one.astype(np.float64) for one in values]
    true_loss, true_dlogits_nc = fl.softmax_cross_entropy(wide[-1], labels_n, with_gradient=True)
    true_gradient = backward([one.astype(np.float64) for one in parameters], wide, true_dlogits_nc)
    of_class = np.arange(len(labels_n)), labels_n
    is_lost = (dlogits_nc[of_class] == 0) & (np.abs(true_dlogits_nc[of_class]) > ROUNDS_TO_ZERO)
    test_nc = forward(parameters, rows["test_nd"])[-1]
    return {
        "loss": float(loss),
        "true_loss": float(true_loss),
        "gradient": norm(backward(parameters, values, dlogits_nc)),
        "true_gradient": norm(true_gradient),
        "wrong_rows": float((logits_nc.argmax(axis=1) != labels_n).sum()),
        "largest_logit": float(np.abs(logits_nc).max()),
        "lost_rows": float(is_lost.sum()),
        "test_accuracy": float((test_nc.argmax(axis=1) == rows["test_n"]).mean()),
        "test_loss": float(fl.softmax_cross_entropy(test_nc.astype(np.float64), rows["test_n"])),
    }


def digits() -> dict[str, Any]:
    """Pixels from 0 to 1 in float32; every fifth row is held out."""
    table = np.loadtxt(DIGITS, delimiter=",", skiprows=1)
    x_nd, labels_n = (table[:, :-1] / 16).astype(np.float32), table[:, -1].astype(np.int64)
    is_test = np.arange(len(table)) % 5 == 0
    return {
        "x_nd": x_nd[~is_test],
        "labels_n": labels_n[~is_test],
        "test_nd": x_nd[is_test],
        "test_n": labels_n[is_test],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print where each training ends, with what it was measured on."""
    parser = argparse.ArgumentParser(description="The same training with three losses.")
    parser.add_argument("--settings", type=int, default=len(SETTINGS), help="only the first so many")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    facts = machine("torch")
    show(facts)
    rows = digits()
    losses: dict[str, Loss] = {TEXTBOOK: textbook_loss}
    if find_spec("torch"):
        losses[PEER] = torch_loss()
        losses[MENDED] = mended(losses[PEER])
    else:
        print(f"{PEER} is not installed; left out\n")
    losses[OURS] = our_loss

    counts = {"rows": len(rows["labels_n"]), "test_rows": len(rows["test_n"])}
    report: dict[str, Any] = {**facts, **counts, "units": UNITS, "trainings": []}
    for setting in SETTINGS[: options.settings]:
        print(setting)
        records = {}
        for name, loss_of in losses.items():
            if name == MENDED and setting != SETTINGS[0]:
                continue
            start = time.perf_counter()
            record = records[name] = train(loss_of, setting, rows)
            end = {what: float(np.median(values[-LOOKS // 10 :])) for what, values in record.items()}
            right = [epoch for epoch, wrong in zip(record["epoch"], record["wrong_rows"], strict=True) if not wrong]
            print(
                f"  {name:<15} all rows right by epoch {right[0] if right else '—'}; in the last tenth (medians):"
                f" loss {end['loss']:.2e} (true {end['true_loss']:.2e}),"
                f" gradient {end['gradient']:.2e} (true {end['true_gradient']:.2e}), lost rows {end['lost_rows']:.0f};"
                f" held out: accuracy {end['test_accuracy']:.4f}, loss {end['test_loss']:.3f}"
                f"  ({time.perf_counter() - start:.0f} s)",
                flush=True,
            )
        report["trainings"].append({"setting": asdict(setting), "name": str(setting), "records": records})
    write_json(options.json, report)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
