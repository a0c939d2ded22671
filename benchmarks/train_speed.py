"""Training speed of the same networks on the same rows: ours, PyTorch, JAX and scikit-learn, in one process.

    python benchmarks/train_speed.py --data FOLDER --json train_speed.json

Adam with the same constants in float32, the same rows in the same order, from the same first weights (scikit-learn
draws its own). Before anything is timed, each trains one epoch: that compiles, warms up, and shows by the losses that
the same work is done. Then rounds: each contender in turn trains whole epochs for about --seconds, so that a slow
minute of the machine meets all of them. A ratio is ours over theirs within one round.

- fromlogits: `NativeEngine.train_span`, the rows as bytes, scaled when they are gathered.
- Classifier.fit: the same through the public class, from checked arrays to a fitted classifier, the epochs of a round
  in one fit.
- PyTorch: eager; rows as a float32 tensor, index_select of each batch; Adam(fused=True).
- JAX: an epoch is one jitted lax.scan; Adam by hand; parameters and moments donated; its thread pool has the cores.
- scikit-learn: MLPClassifier, float32 rows, the epochs of a round in one fit.

PyTorch and scikit-learn run on all cores or on one, whichever is faster for the network: small products lose by being
split. The others are given all cores.

FOLDER holds MNIST's train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz. Without it the rows are random bytes of
that shape, four of five 0 as in MNIST. A contender that is not installed is named and left out.
"""

from __future__ import annotations

import argparse
import gzip
import os
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from machine import machine, show, spread, threads, write_json
from numpy.typing import NDArray

import fromlogits as fl
from fromlogits.data.features import Features
from fromlogits.engines.base import Parameters
from fromlogits.engines.initialisation import initial_parameters
from fromlogits.engines.native import NativeEngine
from fromlogits.spec import Plan

NETWORKS = {"784-25-15-10": 32, "784-256-128-10": 128, "784-1024-1024-10": 256}
"""Units of each layer, and the batch size."""
RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
SCALE = float(np.float32(1 / 255))
AGREEMENT = 0.01
"""Relative difference of the losses of the first epoch above which the work is not the same."""


@dataclass(frozen=True)
class Task:
    """One network, its rows and where it starts."""

    units: tuple[int, ...]
    batch: int
    pixels_nd: NDArray[np.uint8]
    labels_n: NDArray[np.int32]
    first: Parameters
    n_threads: int

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The rows of an epoch, the same for all who let us choose them."""
        return np.random.default_rng(epoch).permutation(len(self.labels_n))

    def floats(self) -> NDArray[np.float32]:
        return self.pixels_nd.astype(np.float32) * np.float32(SCALE)


class Contender(ABC):
    """Trains a task's network, epoch after epoch."""

    name: ClassVar[str]
    package: ClassVar[str]
    same_start: ClassVar[bool] = True
    """Whether it starts at the task's weights and takes its order of rows."""
    may_like_one_thread: ClassVar[bool] = False

    def __init__(self, task: Task) -> None:
        self.task, self.epoch, self.n_threads = task, 0, task.n_threads

    @abstractmethod
    def train(self, epochs: int) -> float:
        """Train some epochs more; the mean loss of the last one, each row's taken before its step."""


class Ours(Contender):
    name, package = "fromlogits", "fromlogits"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        network = network_of(task.units).with_input(task.units[0])
        self.engine = NativeEngine(network, "softmax", n_threads=task.n_threads)
        self.engine.set_parameters(task.first)
        plan = Plan(
            optimizer="adam", learning_rate=RATE, beta1=BETA1, beta2=BETA2, epsilon=EPSILON, batch_size=task.batch
        )
        self.engine.start(plan, seed=0)
        self.features = Features(task.pixels_nd, SCALE)

    def train(self, epochs: int) -> float:
        task, loss = self.task, 0.0
        rates = np.full(len(task.labels_n) // task.batch, RATE)
        for _ in range(epochs):
            loss = self.engine.train_span(self.features, task.labels_n, task.order(self.epoch), rates)
            self.epoch += 1
        return loss / len(task.labels_n)


class OursByFit(Contender):
    name, package, same_start = "Classifier.fit", "fromlogits", False

    def train(self, epochs: int) -> float:
        task = self.task
        clf = fl.Classifier(
            network=network_of(task.units), optimizer="adam", learning_rate=RATE, weight_decay=0.0, dropout=0.0,
            batch_size=task.batch, max_epochs=epochs, early_stopping=False, calibrate=False, n_jobs=task.n_threads,
            random_state=0, spec={"schedule": "constant", "beta1": BETA1, "beta2": BETA2, "epsilon": EPSILON},
        )  # fmt: skip
        clf.fit(task.pixels_nd.reshape(-1, 28, 28), task.labels_n)
        return float(clf.loss_curve_[-1])


class Torch(Contender):
    name, package, may_like_one_thread = "PyTorch", "torch", True

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        import torch

        self.torch = torch
        layers: list[Any] = []
        for (w_hd, b_h), (d, h) in zip(task.first, pairwise(task.units), strict=True):
            layer = torch.nn.Linear(d, h)
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(w_hd))
                layer.bias.copy_(torch.from_numpy(b_h))
            layers += [layer, torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*layers[:-1])
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=RATE, betas=(BETA1, BETA2), eps=EPSILON, fused=True
        )
        self.features = torch.from_numpy(task.floats())
        self.labels = torch.from_numpy(task.labels_n.astype(np.int64))

    def train(self, epochs: int) -> float:
        torch, task = self.torch, self.task
        torch.set_num_threads(self.n_threads)
        losses: list[Any] = []
        for _ in range(epochs):
            losses = []
            for rows in torch.from_numpy(task.order(self.epoch)).split(task.batch):
                logits = self.model(self.features.index_select(0, rows))
                loss = torch.nn.functional.cross_entropy(logits, self.labels.index_select(0, rows))
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                losses.append(loss.detach())
            self.epoch += 1
        return float(torch.stack(losses).mean())


class Jax(Contender):
    name, package = "JAX", "jax"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        import jax
        import jax.numpy as jnp

        def loss_of(layers: Any, x_nd: Any, labels_n: Any) -> Any:
            for w_dh, b_h in layers[:-1]:
                x_nd = jax.nn.relu(x_nd @ w_dh + b_h)
            logits_nc = x_nd @ layers[-1][0] + layers[-1][1]
            log_p_nc = jax.nn.log_softmax(logits_nc)
            return -jnp.take_along_axis(log_p_nc, labels_n[:, None], axis=1).mean()

        def epoch(state: Any, order_sb: Any, features: Any, labels: Any) -> Any:
            def step(state: Any, rows: Any) -> Any:
                layers, mean, square, t = state
                loss, gradient = jax.value_and_grad(loss_of)(layers, features[rows], labels[rows])
                t = t + 1
                mean = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, mean, gradient)
                square = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, square, gradient)
                size = RATE / (1 - BETA1**t)
                correction = 1 / (1 - BETA2**t)
                layers = jax.tree.map(
                    lambda w, m, v: w - size * m / (jnp.sqrt(v * correction) + EPSILON), layers, mean, square
                )
                return (layers, mean, square, t), loss

            state, losses = jax.lax.scan(step, state, order_sb)
            return state, losses.mean()

        self.run = jax.jit(epoch, donate_argnums=0)
        layers = [(jnp.asarray(w_hd.T.copy()), jnp.asarray(b_h)) for w_hd, b_h in task.first]
        zeros = [jax.tree.map(jnp.zeros_like, layers) for _ in range(2)]
        self.state = (layers, *zeros, jnp.float32(0))
        self.features, self.labels = jnp.asarray(task.floats()), jnp.asarray(task.labels_n)

    def train(self, epochs: int) -> float:
        loss: Any = 0.0
        for _ in range(epochs):
            order = self.task.order(self.epoch).astype(np.int32).reshape(-1, self.task.batch)
            self.state, loss = self.run(self.state, order, self.features, self.labels)
            self.epoch += 1
        return float(loss)  # waits for the result


class Sklearn(Contender):
    name, package, same_start, may_like_one_thread = "scikit-learn", "scikit-learn", False, True

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.features = task.floats()

    def train(self, epochs: int) -> float:
        from sklearn.neural_network import MLPClassifier
        from threadpoolctl import threadpool_limits

        clf = MLPClassifier(
            self.task.units[1:-1], solver="adam", alpha=0.0, batch_size=self.task.batch, learning_rate_init=RATE,
            beta_1=BETA1, beta_2=BETA2, epsilon=EPSILON, max_iter=epochs, tol=0.0, n_iter_no_change=10**9,
            random_state=0,
        )  # fmt: skip
        with warnings.catch_warnings(), threadpool_limits(self.n_threads, user_api="blas"):
            warnings.simplefilter("ignore")  # that max_iter was reached is what was asked for
            clf.fit(self.features, self.task.labels_n)
        return float(clf.loss_curve_[-1])


CONTENDERS: tuple[type[Contender], ...] = (Ours, OursByFit, Torch, Jax, Sklearn)


def network_of(units: Sequence[int]) -> fl.Network:
    return fl.Network([*(fl.Dense(h, "relu") for h in units[1:-1]), fl.Dense(units[-1])])


def mnist_rows(folder: Path, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """The first rows of MNIST's training files, plain or gzipped."""

    def content(name: str) -> bytes:
        packed = folder / f"{name}.gz"
        return gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / name).read_bytes()

    pixels = np.frombuffer(content("train-images-idx3-ubyte"), np.uint8, offset=16).reshape(-1, 784)
    labels = np.frombuffer(content("train-labels-idx1-ubyte"), np.uint8, offset=8)
    return np.ascontiguousarray(pixels[:count]), labels[:count].astype(np.int32)


def random_rows(count: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Random bytes, four of five 0 as in MNIST; the class is the largest of ten random weighted sums."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, 784), dtype=np.uint8) * (rng.random((count, 784)) < 0.2)
    labels = ((pixels - 25.5) @ rng.standard_normal((784, 10))).argmax(axis=1)
    return pixels, labels.astype(np.int32)


def measure(task: Task, kinds: Sequence[type[Contender]], rounds: int, seconds: float) -> dict[str, Any]:
    """Losses of the first epoch, samples/s of each contender and ratios, printed and returned."""
    contenders = [kind(task) for kind in kinds]
    first_losses, epochs = {}, {}
    for contender in contenders:
        first_losses[contender.name] = contender.train(1)
        choices = {task.n_threads, 1} if contender.may_like_one_thread else {task.n_threads}
        took = {}
        for contender.n_threads in choices:
            start = time.perf_counter()
            contender.train(1)
            took[contender.n_threads] = time.perf_counter() - start
        contender.n_threads = min(took, key=lambda n_threads: took[n_threads])
        epochs[contender.name] = max(1, round(seconds / took[contender.n_threads]))
    print("  loss of the first epoch: " + ", ".join(f"{name} {loss:.5f}" for name, loss in first_losses.items()))
    same = [first_losses[c.name] for c in contenders if c.same_start]
    difference = max(same) / min(same) - 1
    print(f"  largest relative difference among those with the same start and order: {difference:.2e}", flush=True)

    n = len(task.labels_n)
    speeds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for _ in range(rounds):
        for contender in contenders:
            time.sleep(0.2)  # threads of the one before go to sleep
            start = time.perf_counter()
            contender.train(epochs[contender.name])
            speeds[contender.name].append(n * epochs[contender.name] / (time.perf_counter() - start))

    results = {}
    for contender, (name, per_s) in zip(contenders, speeds.items(), strict=True):
        ratios = [ours / theirs for ours, theirs in zip(speeds[Ours.name], per_s, strict=True)]
        results[name] = {
            "samples_per_s": spread(per_s),
            "ours_over_theirs": spread(ratios),
            "threads": contender.n_threads,
            "epochs_a_round": epochs[name],
            "first_loss": first_losses[name],
        }
        speed, ratio = results[name]["samples_per_s"], results[name]["ours_over_theirs"]
        compared = "" if name == Ours.name else (
            f"   ours / theirs {ratio['median']:6.2f} ({ratio['lowest']:.2f} to {ratio['highest']:.2f})"
        )  # fmt: skip
        print(
            f"  {name:<15}{contender.n_threads:>2} threads{speed['median']:>12,.0f} samples/s"
            f" ({speed['lowest']:,.0f} to {speed['highest']:,.0f}){compared}"
        )
    print(flush=True)
    return {
        "batch": task.batch,
        "rows": n,
        "first_losses_differ_by": difference,
        "rounds": rounds,
        "contenders": results,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures with what they were measured on; 1 when the losses say that the work was not the same."""
    parser = argparse.ArgumentParser(description="Training speed beside PyTorch, JAX and scikit-learn.")
    parser.add_argument("--data", type=Path, help="folder of MNIST's IDX files; random rows without it")
    parser.add_argument("--rows", type=int, default=60_000, help="at most (default 60000)")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--without", nargs="+", choices=[kind.name for kind in CONTENDERS[1:]], default=[])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each contender in each round, about")
    parser.add_argument("--threads", type=int, default=threads(), help="cores to use (default: all of this process)")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)

    if options.threads < threads():  # before a framework that is imported later asks how many there are
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    facts = machine("torch", "jax", "jaxlib", "scikit-learn")
    show(facts)
    kinds = []
    for kind in CONTENDERS:
        if kind.name in options.without:
            continue
        if find_spec({"scikit-learn": "sklearn"}.get(kind.package, kind.package)) is None:
            print(f"{kind.name} is not installed; left out\n")
        else:
            kinds.append(kind)

    if options.data is not None:
        pixels, labels = mnist_rows(options.data, options.rows)
    else:
        pixels, labels = random_rows(options.rows)
    rows = "MNIST" if options.data is not None else "random bytes"
    report: dict[str, Any] = {**facts, "rows": rows, "networks": {}}
    for name in options.networks:
        units, batch = tuple(map(int, name.split("-"))), NETWORKS[name]
        n = len(labels) // batch * batch  # whole batches, so that every step has one shape
        first = initial_parameters(network_of(units).with_input(units[0]), seed=0)
        print(f"{name}, batch {batch}, {n:,} rows ({rows}), {options.threads} threads")
        task = Task(units, batch, pixels[:n], labels[:n], first, options.threads)
        report["networks"][name] = measure(task, kinds, options.rounds, options.seconds)
    write_json(options.json, report)

    differing = [name for name, found in report["networks"].items() if found["first_losses_differ_by"] > AGREEMENT]
    if differing:
        print(f"the losses of the first epoch differ by more than {AGREEMENT:.0%} for {', '.join(differing)}")
    return 1 if differing else 0


if __name__ == "__main__":
    raise SystemExit(main())
