"""Prediction: one row at a time, and many; the same weights in ours, PyTorch, ONNX Runtime and scikit-learn.

    python benchmarks/predict_speed.py --data FOLDER --json predict_speed.json

A network is trained for an epoch by `Classifier` and its weights are given to the others; the largest difference of
their probabilities to ours is printed before anything is timed. Each starts from rows as it takes them: ours from
bytes, the others from float32 rows, standardised beforehand.

- Classifier: `predict_proba`, all checks included. engine: `NativeEngine.logits` alone, logits and not probabilities.
- PyTorch: eager, inference_mode, softmax. TorchScript: traced, frozen, optimize_for_inference. torch.compile: the same
  model compiled.
- ONNX Runtime: a graph of Gemm, Relu and Softmax; `session.run`. Beside it the graph that ends in the logits, for the
  engine alone.
- scikit-learn: `MLPClassifier.predict_proba` with our weights in its attributes.
- LightGBM: 100 rounds of 31 leaves for each class on the first --tree-rows of the same rows; other answers, of course.

One row: rounds of --calls calls for each in turn, each call timed on its own, the rows in turn; median and 99th
percentile of all calls, and the lowest and highest median of a round. Many rows: --rows in one call, for about
--seconds a round. Each runs with one thread or with all, whichever was faster when tried (in each of the two ways).

Sparse: the network 10000-512-100 on CSR rows, ours and scikit-learn from SciPy's matrix, PyTorch by EmbeddingBag.

FOLDER holds MNIST; random bytes without it. A peer that is not installed is named and left out.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from machine import machine, show, spread, threads, write_json
from networks import NETWORKS, NON_ZEROS, SparseRows, mnist_rows, network_of, random_pictures, zipf_rows
from numpy.typing import NDArray

import fromlogits as fl
from fromlogits.engines.native import NativeEngine

Float32 = NDArray[np.float32]
DIFFERENT_ROWS = 256
"""That calls with one row take in turn."""


@dataclass(frozen=True)
class Model:
    """A trained classifier, rows to predict as it takes them, and as the network takes them."""

    units: tuple[int, ...]
    clf: fl.Classifier
    raw: Any
    """uint8 (n, 28, 28), or a CSR matrix."""
    encoded: Any
    """float32 (n, d), or SparseRows."""
    train_rows: Float32 | None
    """float32 (n, d), for those who train their own."""
    train_targets: NDArray[Any]
    n_threads: int

    @property
    def layers(self) -> Any:
        [network] = self.clf.members_
        return network.parameters


class Predictor(ABC):
    name: ClassVar[str]
    package: ClassVar[str]
    same_weights: ClassVar[bool] = True
    may_like_one_thread: ClassVar[bool] = True

    def __init__(self, model: Model) -> None:
        self.model = model
        self.rows = model.encoded
        self.set_threads(model.n_threads)

    def set_threads(self, n_threads: int) -> None:
        self.n_threads = n_threads

    def running(self) -> AbstractContextManager[Any]:
        """Around the calls that are timed."""
        return nullcontext()

    def part(self, start: int, stop: int) -> Any:
        """Some rows, in the form that `predict` takes."""
        return self.rows[start:stop]

    @abstractmethod
    def predict(self, rows: Any) -> Any: ...

    def probabilities(self, rows: Any) -> Float32:
        with self.running():
            return np.asarray(self.predict(rows))


class OurClassifier(Predictor):
    name, package = "Classifier", "fromlogits"

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.rows, self.predict_proba = model.raw, model.clf.predict_proba

    def set_threads(self, n_threads: int) -> None:
        super().set_threads(n_threads)
        self.model.clf.set_params(n_jobs=n_threads)

    def predict(self, rows: Any) -> Any:
        return self.predict_proba(rows)


class OurEngine(Predictor):
    name, package = "engine", "fromlogits"

    def __init__(self, model: Model) -> None:
        network = network_of(model.units).with_input(model.units[0])
        self.engine = NativeEngine(network, model.clf.head_)
        self.engine.set_parameters(model.layers)
        super().__init__(model)
        self.rows = model.raw

    def set_threads(self, n_threads: int) -> None:
        super().set_threads(n_threads)
        self.engine.n_threads = n_threads

    def part(self, start: int, stop: int) -> Any:
        from fromlogits.data.inputs import as_inputs

        return self.model.clf.encoder_.encode(as_inputs(self.rows[start:stop]))

    def predict(self, rows: Any) -> Any:
        return self.engine.logits(rows)

    def probabilities(self, rows: Any) -> Float32:
        return (fl.softmax if self.model.clf.head_ == "softmax" else fl.sigmoid)(self.predict(rows))


class Torch(Predictor):
    name, package = "PyTorch", "torch"

    def __init__(self, model: Model) -> None:
        import torch

        self.torch = torch
        layers: list[Any] = []
        for w_hd, b_h in model.layers:
            layer = torch.nn.Linear(*w_hd.shape[::-1])
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(w_hd))
                layer.bias.copy_(torch.from_numpy(b_h))
            layers += [layer, torch.nn.ReLU()]
        super().__init__(model)
        self.network = torch.nn.Sequential(*layers[:-1], torch.nn.Softmax(dim=1)).eval()

    def set_threads(self, n_threads: int) -> None:
        super().set_threads(n_threads)
        self.torch.set_num_threads(n_threads)

    def running(self) -> AbstractContextManager[Any]:
        self.torch.set_num_threads(self.n_threads)
        return self.torch.inference_mode()

    def part(self, start: int, stop: int) -> Any:
        return self.torch.from_numpy(self.rows[start:stop])

    def predict(self, rows: Any) -> Any:
        return self.network(rows)


class TorchScript(Torch):
    name = "TorchScript"

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is not the newest way
            jit = self.torch.jit
            self.network = jit.optimize_for_inference(jit.freeze(jit.trace(self.network, self.part(0, 1))))


class TorchCompiled(Torch):
    name = "torch.compile"

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.torch.compiler.reset()  # the code it made for the network before
        self.network = self.torch.compile(self.network, dynamic=False)


class TorchBag(Torch):
    name = "PyTorch, EmbeddingBag"

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        torch = self.torch
        w_hd, b_h = model.layers[0]
        weight = torch.from_numpy(np.ascontiguousarray(w_hd.T))
        self.bag = torch.nn.EmbeddingBag.from_pretrained(weight, mode="sum")
        self.bias = torch.from_numpy(b_h.copy())
        self.network = torch.nn.Sequential(*self.network[1:-1], torch.nn.Sigmoid()).eval()

    def part(self, start: int, stop: int) -> Any:
        rows = self.rows[start:stop]
        return self.torch.from_numpy(rows.columns_nk).long(), self.torch.from_numpy(rows.values_nk)

    def predict(self, rows: Any) -> Any:
        columns, values = rows
        return self.network(self.bag(columns, per_sample_weights=values) + self.bias)


class Onnx(Predictor):
    name, package = "ONNX Runtime", "onnxruntime"
    ends_in: ClassVar[str] = "probabilities"

    def __init__(self, model: Model) -> None:
        from onnx import TensorProto, helper, numpy_helper

        nodes, weights, value = [], [], "x"
        for k, (w_hd, b_h) in enumerate(model.layers):
            weights += [numpy_helper.from_array(w_hd, f"w{k}"), numpy_helper.from_array(b_h, f"b{k}")]
            last = k == len(model.layers) - 1
            result = "logits" if last else f"z{k}"
            nodes.append(helper.make_node("Gemm", [value, f"w{k}", f"b{k}"], [result], transB=1))
            value = result
            if not last:
                nodes.append(helper.make_node("Relu", [value], [f"a{k}"]))
                value = f"a{k}"
        if self.ends_in == "probabilities":
            nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1))
        d, c = model.units[0], model.units[-1]
        graph = helper.make_graph(
            nodes, "network",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", d])],
            [helper.make_tensor_value_info(self.ends_in, TensorProto.FLOAT, ["n", c])],
            weights,
        )  # fmt: skip
        # The opset of Softmax's present form, and a format that runtimes of some years read.
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        self.content = made.SerializeToString()
        super().__init__(model)

    def set_threads(self, n_threads: int) -> None:
        import onnxruntime

        super().set_threads(n_threads)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = n_threads, 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(self.content, options, providers=["CPUExecutionProvider"])

    def predict(self, rows: Any) -> Any:
        return self.session.run(None, {"x": rows})[0]


class OnnxLogits(Onnx):
    name, ends_in = "ONNX Runtime, logits", "logits"

    def probabilities(self, rows: Any) -> Float32:
        return fl.softmax(self.predict(rows))


class Sklearn(Predictor):
    name, package = "scikit-learn", "scikit-learn"

    def __init__(self, model: Model) -> None:
        from sklearn.neural_network import MLPClassifier
        from threadpoolctl import ThreadpoolController

        super().__init__(model)
        self.limits = ThreadpoolController()
        if isinstance(self.rows, SparseRows):
            self.rows = self.rows.csr()
            few = self.rows[:64], model.train_targets[:64]
        else:
            assert model.train_rows is not None
            few = model.train_rows, model.train_targets
            few = few[0][:2000], few[1][:2000]
        self.clf = MLPClassifier(model.units[1:-1], max_iter=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that one epoch is few
            self.clf.fit(*few)
        self.clf.coefs_ = [np.ascontiguousarray(w_hd.T) for w_hd, _ in model.layers]
        self.clf.intercepts_ = [b_h for _, b_h in model.layers]

    def running(self) -> AbstractContextManager[Any]:
        return self.limits.limit(limits=self.n_threads, user_api="blas")

    def predict(self, rows: Any) -> Any:
        return self.clf.predict_proba(rows)


class LightGbm(Predictor):
    name, package, same_weights = "LightGBM", "lightgbm", False

    def __init__(self, model: Model) -> None:
        import lightgbm

        super().__init__(model)
        settings = {"objective": "multiclass", "num_class": model.units[-1], "num_threads": threads(), "verbosity": -1}
        data = lightgbm.Dataset(model.train_rows, model.train_targets)
        self.booster = lightgbm.train(settings, data, num_boost_round=100)

    def predict(self, rows: Any) -> Any:
        return self.booster.predict(rows, num_threads=self.n_threads)


DENSE: tuple[type[Predictor], ...] = (
    OurClassifier, OurEngine, Torch, TorchScript, TorchCompiled, Onnx, OnnxLogits, Sklearn, LightGbm
)  # fmt: skip
SPARSE: tuple[type[Predictor], ...] = (OurClassifier, OurEngine, TorchBag, Sklearn)


def pictures_model(units: tuple[int, ...], folder: Path | None, count: int, tree_rows: int, n_threads: int) -> Model:
    pixels, labels = random_pictures(60_000) if folder is None else mnist_rows(folder, "train", 60_000)
    clf = fl.Classifier(
        network=network_of(units), max_epochs=1, batch_size=128, early_stopping=False, calibrate=False,
        random_state=0, n_jobs=n_threads,
    ).fit(pixels.reshape(-1, 28, 28), labels)  # fmt: skip
    encoder = clf.encoder_

    def floats(part: NDArray[np.uint8]) -> Float32:
        return part.astype(np.float32) * np.float32(encoder.scale) + np.float32(encoder.shift)

    raw = pixels[:count]
    return Model(
        units, clf, raw.reshape(-1, 28, 28), floats(raw), floats(pixels[:tree_rows]), labels[:tree_rows], n_threads
    )


def sparse_model(units: tuple[int, ...], count: int, n_threads: int) -> Model:
    rows, labels = zipf_rows(max(count, 2000), units[0], units[-1])
    matrix = rows.csr()
    clf = fl.Classifier(
        network=network_of(units), max_epochs=1, batch_size=128, early_stopping=False, calibrate=False,
        random_state=0, n_jobs=n_threads,
    ).fit(matrix[:2000], labels[:2000])  # fmt: skip
    scale = clf.encoder_.inverse_spread
    assert scale is not None
    scaled = (rows.values_nk * scale[rows.columns_nk]).astype(np.float32)
    encoded = SparseRows(rows.columns_nk, scaled, rows.n_features)
    return Model(units, clf, matrix, encoded, None, labels, n_threads)


def timed_calls(predictor: Predictor, parts: Sequence[Any], calls: int) -> list[int]:
    """Nanoseconds of each of some calls."""
    predict, clock, taken = predictor.predict, time.perf_counter_ns, []
    with predictor.running():
        for rows in parts[:20]:
            predict(rows)
        gc.disable()
        for k in range(calls):
            rows = parts[k % len(parts)]
            start = clock()
            predict(rows)
            taken.append(clock() - start)
        gc.enable()
    return taken


def choose_threads(predictor: Predictor, parts: Sequence[Any], calls: int) -> int:
    """One or all, whichever has the smaller median."""
    medians = {}
    for n_threads in {1, predictor.model.n_threads}:
        predictor.set_threads(n_threads)
        medians[n_threads] = statistics.median(timed_calls(predictor, parts, calls))
    best = min(medians, key=lambda n_threads: medians[n_threads])
    predictor.set_threads(best)
    return best


def one_row(predictors: Sequence[Predictor], rounds: int, calls: int) -> dict[str, Any]:
    parts = {p.name: [p.part(k, k + 1) for k in range(DIFFERENT_ROWS)] for p in predictors}
    n_threads = {p.name: choose_threads(p, parts[p.name], 50) for p in predictors}
    taken: dict[str, list[list[int]]] = {p.name: [] for p in predictors}
    for _ in range(rounds):
        for p in predictors:
            p.set_threads(n_threads[p.name])
            time.sleep(0.1)  # threads of the one before go to sleep
            taken[p.name].append(timed_calls(p, parts[p.name], calls))
    found = {}
    for name, by_round in taken.items():
        every = np.concatenate(by_round) / 1e3
        found[name] = {
            "p50_us": float(np.percentile(every, 50)),
            "p99_us": float(np.percentile(every, 99)),
            "p50_us_of_rounds": spread([statistics.median(part) / 1e3 for part in by_round]),
            "threads": n_threads[name],
        }
    return found


def many_rows(predictors: Sequence[Predictor], rows: int, rounds: int, seconds: float) -> dict[str, Any]:
    parts = {p.name: [p.part(0, rows)] for p in predictors}
    n_threads = {p.name: choose_threads(p, parts[p.name], 3) for p in predictors}
    per_s: dict[str, list[float]] = {p.name: [] for p in predictors}
    for _ in range(rounds):
        for p in predictors:
            p.set_threads(n_threads[p.name])
            time.sleep(0.1)
            once = timed_calls(p, parts[p.name], 1)[0] / 1e9
            taken = timed_calls(p, parts[p.name], max(1, round(seconds / once)))
            per_s[p.name].append(rows / (statistics.median(taken) / 1e9))
    return {name: {"rows_per_s": spread(values), "threads": n_threads[name]} for name, values in per_s.items()}


def measure(model: Model, kinds: Sequence[type[Predictor]], options: argparse.Namespace) -> dict[str, Any]:
    predictors, differences = [], {}
    few = min(1000, options.rows)
    ours = model.clf.predict_proba(model.raw[:few])
    for kind in kinds:
        if kind.name in options.without:
            continue
        if find_spec({"scikit-learn": "sklearn"}.get(kind.package, kind.package)) is None:
            print(f"  {kind.name} is not installed; left out")
            continue
        try:
            predictor = kind(model)
            probabilities = predictor.probabilities(predictor.part(0, few))
        except Exception as error:  # a compiler that is missing, say: the others are measured
            if kind.package == "fromlogits":
                raise
            print(f"  {kind.name} is left out: {type(error).__name__}: {str(error).splitlines()[0]}")
            continue
        predictors.append(predictor)
        if kind.same_weights:
            differences[kind.name] = float(np.abs(probabilities - ours).max())
    print("  largest difference to Classifier: " + ", ".join(f"{name} {v:.1e}" for name, v in differences.items()))

    single = one_row(predictors, options.rounds, options.calls)
    first = next(iter(single))
    for name, found in single.items():
        found["over_ours"] = found["p50_us"] / single[first]["p50_us"]
        rounds = found["p50_us_of_rounds"]
        print(
            f"  1 row  {name:<22}{found['threads']:>2} threads  p50 {found['p50_us']:8.1f} us"
            f" ({rounds['lowest']:.1f} to {rounds['highest']:.1f})  p99 {found['p99_us']:8.1f} us"
            f"   theirs / Classifier {found['over_ours']:.2f}"
        )
    bulk = many_rows(predictors, options.rows, options.rounds, options.seconds)
    for name, found in bulk.items():
        speed = found["rows_per_s"]
        print(
            f"  {options.rows:,} rows  {name:<22}{found['threads']:>2} threads {speed['median']:>12,.0f} rows/s"
            f" ({speed['lowest']:,.0f} to {speed['highest']:,.0f})"
        )
    print(flush=True)
    return {"differences": differences, "one_row": single, "many_rows": {"rows": options.rows, "predictors": bulk}}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures with what they were measured on, and write them where --json says."""
    parser = argparse.ArgumentParser(description="Prediction beside scikit-learn, PyTorch, ONNX Runtime and LightGBM.")
    parser.add_argument("--data", type=Path, help="folder of MNIST's IDX files; random rows without it")
    networks = [name for name, shape in NETWORKS.items() if shape.rows != "table"]
    chosen = ["784-25-15-10", "784-256-128-10", "10000-512-100"]
    parser.add_argument("--networks", nargs="+", choices=networks, default=chosen)
    names = list(dict.fromkeys(kind.name for kind in (*DENSE, *SPARSE) if kind.package != "fromlogits"))
    parser.add_argument("--without", nargs="+", choices=names, default=[])
    parser.add_argument("--rows", type=int, default=10_000, help="of a call with many")
    parser.add_argument("--tree-rows", type=int, default=10_000, help="that LightGBM is trained on")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=2000, help="with one row, of each in each round")
    parser.add_argument("--seconds", type=float, default=1.0, help="with many rows, of each in each round, about")
    parser.add_argument("--threads", type=int, default=threads(), help="the most that any may use")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    facts = machine("torch", "onnx", "onnxruntime", "scikit-learn", "lightgbm")
    show(facts)

    report: dict[str, Any] = {
        "benchmark": "predict_speed", **facts, "rounds": options.rounds, "calls": options.calls, "networks": {}
    }  # fmt: skip
    for name in options.networks:
        shape = NETWORKS[name]
        if shape.rows == "sparse":
            print(f"{name}, CSR rows with {NON_ZEROS} values")
            model, kinds = sparse_model(shape.units, options.rows, options.threads), SPARSE
        else:
            print(f"{name}, {'MNIST' if options.data else 'random bytes'}")
            model = pictures_model(shape.units, options.data, options.rows, options.tree_rows, options.threads)
            kinds = DENSE
        report["networks"][name] = measure(model, kinds, options)
    write_json(options.json, report)


if __name__ == "__main__":
    main()
