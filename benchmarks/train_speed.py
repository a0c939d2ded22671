"""Training speed of the same networks on the same rows: ours, PyTorch, JAX and scikit-learn, in one process.

    python benchmarks/train_speed.py --data FOLDER --json train_speed.json

Adam with the same constants in float32, the same rows in the same order, from the same first weights (scikit-learn
draws its own). Before anything is timed, each trains one epoch: that compiles, warms up, and shows by the losses that
the same work is done. Then rounds: each contender in turn trains whole epochs for about --seconds, so that a slow
minute of the machine meets all of them. A ratio is ours over theirs within one round. In each round the machine is
measured too: what a step must take (must_take.py), and how many times that ours took.

Pictures and tables:

- fromlogits: `NativeEngine.train_span`, pictures as bytes, scaled when they are gathered.
- Classifier.fit: the same through the public class, from checked arrays to a fitted classifier, the epochs of a round
  in one fit.
- PyTorch: eager; rows as a float32 tensor, index_select of each batch; Adam(fused=True).
- torch.compile: the same, the model and its loss compiled.
- JAX: an epoch is one jitted lax.scan; Adam by hand; parameters and moments donated; its thread pool has the cores.
- scikit-learn: MLPClassifier, float32 rows, the epochs of a round in one fit.

Sparse rows, each with 100 values, drawn by Zipf's law:

- fromlogits and Classifier.fit: CSR.
- PyTorch, sparse: EmbeddingBag(mode="sum", sparse=True) with per_sample_weights, columns as (n, 100); SparseAdam for
  it, which leaves the moments of other features as they are, and Adam(fused=True) for the rest.
- PyTorch, bag: the same with sparse=False, and Adam(fused=True) for all.
- PyTorch, dense: each batch is spread out to 10 000 columns for a Linear layer; Adam(fused=True).
- JAX: each batch is spread out; the rest as above.
- scikit-learn: SciPy's CSR matrix, in multi-label form.

PyTorch and scikit-learn run on all cores or on one, whichever is faster for the network: small products lose by being
split. The others are given all cores.

FOLDER holds MNIST's train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz. Without it the rows are random bytes of
that shape, four of five 0 as in MNIST. The table is a mixture of Gaussians with the width and number of classes of
covertype. A contender that is not installed is named and left out.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from machine import machine, show, spread, threads, write_json
from must_take import Machine, work_of
from networks import NETWORKS, SparseRows, Task, has_sparse_engine, network_of, task_of

import fromlogits as fl
from fromlogits.engines.base import Steps
from fromlogits.engines.native import NativeEngine
from fromlogits.spec import Plan

RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
AGREEMENT = 0.01
"""Relative difference of the losses of the first epoch above which the work is not the same."""


class Contender(ABC):
    """Trains a task's network, epoch after epoch."""

    name: ClassVar[str]
    package: ClassVar[str]
    same_start: ClassVar[bool] = True
    """Whether it starts at the task's weights, takes its order of rows, and takes Adam's steps."""
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
        self.engine = NativeEngine(network, task.shape.head, n_threads=task.n_threads)
        self.engine.set_parameters(task.first)
        plan = Plan(
            optimizer="adam", learning_rate=RATE, beta1=BETA1, beta2=BETA2, epsilon=EPSILON, batch_size=task.batch
        )
        self.engine.start(plan, seed=0)
        self.features = task.features()

    def train(self, epochs: int) -> float:
        task, loss = self.task, 0.0
        rates = np.full(len(task) // task.batch, RATE)
        for _ in range(epochs):
            loss = self.engine.train_span(self.features, task.targets, task.order(self.epoch), Steps(rates))
            self.epoch += 1
        return loss / len(task)


class OursByFit(Contender):
    name, package, same_start = "Classifier.fit", "fromlogits", False

    def train(self, epochs: int) -> float:
        task = self.task
        clf = fl.Classifier(
            network=network_of(task.units), optimizer="adam", learning_rate=RATE, weight_decay=0.0, dropout=0.0,
            batch_size=task.batch, max_epochs=epochs, early_stopping=False, calibrate=False, n_jobs=task.n_threads,
            random_state=0, spec={"schedule": "constant", "beta1": BETA1, "beta2": BETA2, "epsilon": EPSILON},
        )  # fmt: skip
        rows: Any = task.rows
        if isinstance(rows, SparseRows):
            rows = rows.csr()
        elif rows.dtype == np.uint8:
            rows = rows.reshape(-1, 28, 28)
        clf.fit(rows, task.targets)
        return float(clf.loss_curve_[-1])


class Torch(Contender):
    """Of pictures and tables; a subclass says how sparse rows enter the first layer."""

    name, package, may_like_one_thread = "PyTorch", "torch", True

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        import torch

        self.torch = torch
        first, *later = (self.linear(*part) for part in task.first)
        layers: list[Any] = [first]
        for layer in later:
            layers += [torch.nn.ReLU(), layer]
        self.model = torch.nn.Sequential(*layers)
        self.optimizers = [self.adam(self.model.parameters())]
        self.labels = torch.from_numpy(task.targets)
        if task.shape.head == "softmax":
            self.labels = self.labels.long()
        self.keep_rows()

    def linear(self, w_hd: Any, b_h: Any) -> Any:
        layer = self.torch.nn.Linear(*w_hd.shape[::-1])
        with self.torch.no_grad():
            layer.weight.copy_(self.torch.from_numpy(w_hd))
            layer.bias.copy_(self.torch.from_numpy(b_h))
        return layer

    def adam(self, parameters: Any) -> Any:
        return self.torch.optim.Adam(parameters, lr=RATE, betas=(BETA1, BETA2), eps=EPSILON, fused=True)

    def keep_rows(self) -> None:
        self.features = self.torch.from_numpy(self.task.floats())

    def logits(self, rows: Any) -> Any:
        return self.model(self.features.index_select(0, rows))

    def loss(self, logits: Any, labels: Any) -> Any:
        functional = self.torch.nn.functional
        if self.task.shape.head == "softmax":
            return functional.cross_entropy(logits, labels)
        return functional.binary_cross_entropy_with_logits(logits, labels, reduction="sum") / len(labels)

    def step_loss(self, rows: Any) -> Any:
        return self.loss(self.logits(rows), self.labels.index_select(0, rows))

    def train(self, epochs: int) -> float:
        torch, task = self.torch, self.task
        torch.set_num_threads(self.n_threads)
        losses: list[Any] = []
        for _ in range(epochs):
            losses = []
            for rows in torch.from_numpy(task.order(self.epoch)).split(task.batch):
                loss = self.step_loss(rows)
                for optimizer in self.optimizers:
                    optimizer.zero_grad()
                loss.backward()
                for optimizer in self.optimizers:
                    optimizer.step()
                losses.append(loss.detach())
            self.epoch += 1
        return float(torch.stack(losses).mean())


class TorchCompiled(Torch):
    name = "torch.compile"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.torch.compiler.reset()  # the code it made for the network before
        self.compiled = self.torch.compile(lambda x, labels: self.loss(self.model(x), labels))

    def step_loss(self, rows: Any) -> Any:
        return self.compiled(self.features.index_select(0, rows), self.labels.index_select(0, rows))


class TorchBag(Torch):
    name, is_sparse = "PyTorch, bag", False

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        torch = self.torch
        w_hd, b_h = task.first[0]
        weight = torch.from_numpy(np.ascontiguousarray(w_hd.T))
        self.bag = torch.nn.EmbeddingBag.from_pretrained(weight, freeze=False, mode="sum", sparse=self.is_sparse)
        self.bias = torch.nn.Parameter(torch.from_numpy(b_h.copy()))
        self.model = self.model[1:]
        rest = [self.bias, *self.model.parameters()]
        if self.is_sparse:
            sparse_adam = torch.optim.SparseAdam(self.bag.parameters(), lr=RATE, betas=(BETA1, BETA2), eps=EPSILON)
            self.optimizers = [sparse_adam, self.adam(rest)]
        else:
            self.optimizers = [self.adam([*self.bag.parameters(), *rest])]

    def keep_rows(self) -> None:
        rows = self.task.rows
        assert isinstance(rows, SparseRows)
        self.columns, self.values = self.torch.from_numpy(rows.columns_nk).long(), self.torch.from_numpy(rows.values_nk)

    def logits(self, rows: Any) -> Any:
        columns, values = self.columns.index_select(0, rows), self.values.index_select(0, rows)
        return self.model(self.bag(columns, per_sample_weights=values) + self.bias)


class TorchSparse(TorchBag):
    name, is_sparse, same_start = "PyTorch, sparse", True, False


class TorchDense(Torch):
    name = "PyTorch, dense"
    keep_rows = TorchBag.keep_rows

    def logits(self, rows: Any) -> Any:
        x = self.torch.zeros(len(rows), self.task.units[0])
        return self.model(x.scatter_(1, self.columns.index_select(0, rows), self.values.index_select(0, rows)))


class Jax(Contender):
    name, package = "JAX", "jax"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        import jax
        import jax.numpy as jnp

        def loss_of(layers: Any, x_nd: Any, labels: Any) -> Any:
            for w_dh, b_h in layers[:-1]:
                x_nd = jax.nn.relu(x_nd @ w_dh + b_h)
            logits_nc = x_nd @ layers[-1][0] + layers[-1][1]
            if task.shape.head == "sigmoid":
                losses_nc = jax.nn.softplus(logits_nc) - labels * logits_nc
                return losses_nc.sum() / len(labels)
            log_p_nc = jax.nn.log_softmax(logits_nc)
            return -jnp.take_along_axis(log_p_nc, labels[:, None], axis=1).mean()

        def gathered(features: Any, rows: Any) -> Any:
            if not isinstance(task.rows, SparseRows):
                return features[rows]
            columns_nk, values_nk = features
            zeros = jnp.zeros((len(rows), task.units[0]))
            return zeros.at[jnp.arange(len(rows))[:, None], columns_nk[rows]].set(values_nk[rows])

        def epoch(state: Any, order_sb: Any, features: Any, labels: Any) -> Any:
            def step(state: Any, rows: Any) -> Any:
                layers, mean, square, t = state
                loss, gradient = jax.value_and_grad(loss_of)(layers, gathered(features, rows), labels[rows])
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
        rows = task.rows
        parts = (rows.columns_nk, rows.values_nk) if isinstance(rows, SparseRows) else task.floats()
        self.features, self.labels = jax.tree.map(jnp.asarray, parts), jnp.asarray(task.targets)

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
        self.features = task.rows.csr() if isinstance(task.rows, SparseRows) else task.floats()

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
            clf.fit(self.features, self.task.targets)
        return float(clf.loss_curve_[-1])


DENSE: tuple[type[Contender], ...] = (Ours, OursByFit, Torch, TorchCompiled, Jax, Sklearn)
SPARSE: tuple[type[Contender], ...] = (Ours, OursByFit, TorchSparse, TorchBag, TorchDense, Jax, Sklearn)


def measure(task: Task, kinds: Sequence[type[Contender]], rounds: int, seconds: float) -> dict[str, Any]:
    """Losses of the first epoch, samples/s of each contender and ratios, printed and returned."""
    contenders = []
    first_losses, epochs = {}, {}
    for kind in kinds:
        try:
            contender = kind(task)
            first_losses[kind.name] = contender.train(1)
        except Exception as error:  # a compiler that is missing, say: the others are measured
            if kind is Ours:
                raise
            print(f"  {kind.name} is left out: {type(error).__name__}: {str(error).splitlines()[0]}")
            continue
        contenders.append(contender)
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
    print(f"  largest relative difference among those with the same start and steps: {difference:.2e}", flush=True)

    n, work, limits = len(task), work_of(task), Machine(task.n_threads)
    speeds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    machine_speeds = []
    for _ in range(rounds):
        time.sleep(0.2)
        machine_speeds.append(limits.measure())
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
    must_s = [work.seconds(speed) for speed in machine_speeds]
    step_s = [task.batch / per_s for per_s in speeds[Ours.name]]
    found = {
        "flops_a_step": work.flops,
        "optimizer_bytes_a_step": work.optimizer_bytes,
        "gflop_per_s": spread([speed.flops_per_s / 1e9 for speed in machine_speeds]),
        "product_by": sorted({speed.product_by for speed in machine_speeds}),
        "gb_per_s": spread([speed.bytes_per_s / 1e9 for speed in machine_speeds]),
        "triad_by": sorted({speed.triad_by for speed in machine_speeds}),
        "must_take_ms": spread([1e3 * s for s in must_s]),
        "ours_ms": spread([1e3 * s for s in step_s]),
        "ours_over_must_take": spread([ours / must for ours, must in zip(step_s, must_s, strict=True)]),
    }
    over = found["ours_over_must_take"]
    print(
        f"  a step takes {found['ours_ms']['median']:.4g} ms and must take {found['must_take_ms']['median']:.4g} ms"
        f" here ({work.flops / 1e6:.1f} MFLOP at {found['gflop_per_s']['median']:.0f} GFLOP/s,"
        f" {work.optimizer_bytes / 1e6:.1f} MB at {found['gb_per_s']['median']:.1f} GB/s):"
        f" {over['median']:.2f} times ({over['lowest']:.2f} to {over['highest']:.2f})\n",
        flush=True,
    )
    return {
        "batch": task.batch,
        "rows": n,
        "first_losses_differ_by": difference,
        "rounds": rounds,
        "contenders": results,
        "machine": found,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures with what they were measured on; 1 when the losses say that the work was not the same."""
    parser = argparse.ArgumentParser(description="Training speed beside PyTorch, JAX and scikit-learn.")
    parser.add_argument("--data", type=Path, help="folder of MNIST's IDX files; random rows without it")
    parser.add_argument("--rows", type=int, default=60_000, help="at most (default 60000)")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument(
        "--without", nargs="+", choices=list(dict.fromkeys(kind.name for kind in (*DENSE[1:], *SPARSE[1:]))), default=[]
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each contender in each round, about")
    parser.add_argument("--threads", type=int, default=threads(), help="cores to use (default: all of this process)")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)

    if options.threads < threads():  # before a framework that is imported later asks how many there are
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    facts = machine("torch", "jax", "jaxlib", "scikit-learn")
    show(facts)

    rows = "MNIST" if options.data is not None else "random bytes"
    report: dict[str, Any] = {"benchmark": "train_speed", **facts, "pictures": rows, "networks": {}}
    for name in options.networks:
        shape = NETWORKS[name]
        if shape.rows == "sparse" and not has_sparse_engine():
            print(f"{name}: left out, this fromlogits has no engine for sparse rows\n")
            continue
        task = task_of(name, options.data, options.rows, options.threads)
        what = {"pictures": rows, "table": "Gaussian mixture", "sparse": "sparse, by Zipf's law"}[shape.rows]
        print(f"{name}, batch {task.batch}, {len(task):,} rows ({what}), {options.threads} threads")
        kinds = [kind for kind in (SPARSE if shape.rows == "sparse" else DENSE) if kind.name not in options.without]
        for kind in list(kinds):
            if find_spec({"scikit-learn": "sklearn"}.get(kind.package, kind.package)) is None:
                print(f"  {kind.name} is not installed; left out")
                kinds.remove(kind)
        report["networks"][name] = measure(task, kinds, options.rounds, options.seconds)
    write_json(options.json, report)

    differing = [name for name, found in report["networks"].items() if found["first_losses_differ_by"] > AGREEMENT]
    if differing:
        print(f"the losses of the first epoch differ by more than {AGREEMENT:.0%} for {', '.join(differing)}")
    return 1 if differing else 0


if __name__ == "__main__":
    raise SystemExit(main())
