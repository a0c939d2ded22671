"""The engine of the extra `torch`: the same networks and plans in PyTorch, on its devices. Imported when asked for."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from .. import logits as from_logits
from ..data import torch_settings
from ..data.features import EncodedRows, Features, SparseFeatures
from ..data.label_sets import SparseLabels
from ..spec import (
    NORM_EPSILON,
    NORM_MOMENTUM,
    Convolution,
    Dense,
    Embedding,
    HeadName,
    Network,
    Periodic,
    PiecewiseLinear,
    Plan,
    Residual,
)
from . import torch_heads
from .augmentation import augmented
from .base import UNWEIGHTED, Engine, Parameters, Steps, Weights
from .initialisation import initial_parameters
from .masks import kept, occurring, refuse_sparse
from .rates import RUNNING, decay_factors, rate_factors

BLOCK, PICTURES = 64, 16
"""Rows of a product when predicting, always: the last ones are filled up. A library's product of one shape treats its
rows alike, of two shapes it may not; and so it does only where the product is wide enough for its usual kernels. What
convolutions make of `PICTURES` stays in a processor's cache."""
LEAST_WIDTH = 16
"""Columns of a product when predicting, at least: MKL's kernels for fewer round the rows otherwise by their places
(of 132 shapes of 1 to 256 outputs and 1 to 1 000 inputs 15, all of them below 16 outputs)."""

CONSTANTS = ("edges", *RUNNING)
"""Arrays without a gradient, by the beginnings of their names."""


def device_of(device: str | None) -> torch.device:
    """None: the first CUDA device if there is one, else the processor."""
    return torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))


def has_device(device: str) -> bool:
    """Whether PyTorch has this one here: "cpu", "cuda" or "mps"."""
    if device == "cuda":
        return bool(torch.cuda.is_available())
    return device == "cpu" or bool(torch.backends.mps.is_available())


class TorchEngine(Engine):
    """Float32 parameters and activations, float64 in the head where the device has it.

    On the processor a training has the same bits for the same seed and the same number of threads. Its products are
    those of the libraries that PyTorch was built with: another number of threads, or another device, may round them
    otherwise. Rows are predicted some at a time, on the processor each block by one thread: they have the same bits
    for any number of threads, and none waits for another.
    """

    name = "torch"
    side_by_side = False

    def __init__(self, network: Network, head: HeadName, *, n_threads: int = 1, device: str | None = None) -> None:
        """`device` as for `device_of`."""
        assert network.n_features is not None
        self.network, self.head, self.n_threads = network, head, n_threads
        self._device = device_of(device)
        self._layers = [tuple(_empty(shape, self._device) for shape in shapes.values()) for shapes in network.arrays]
        self._ready: list[tuple[Tensor, ...]] | None = None
        """What predictions take, while the parameters stay as they are."""
        self._plan: Plan | None = None
        n = network.n_features
        categories = [feature for feature, _ in network.categories]
        others = np.setdiff1d(np.arange(n), [*network.numbers, *categories])
        self._numbers, self._categories, self._others = (
            torch.as_tensor(np.asarray(some, np.int64), device=self._device)
            for some in (network.numbers, categories, others)
        )
        firsts = np.cumsum([0, *(values for _, values in network.categories)])[:-1]
        self._firsts = torch.as_tensor(firsts.astype(np.int64), device=self._device)

    def initialise(self, seed: int) -> None:
        self.set_parameters(initial_parameters(self.network, seed))

    def parameters(self, into: Parameters | None = None) -> Parameters:
        if into is None:
            return [
                tuple(np.array(array.detach().cpu().numpy(), order="C") for array in layer) for layer in self._layers
            ]
        for copies, layer in zip(into, self._layers, strict=True):
            for copy, array in zip(copies, layer, strict=True):
                copy[...] = array.detach().cpu().numpy()
        return into

    def set_parameters(self, parameters: Parameters) -> None:
        self._ready = None
        with torch.no_grad():
            for own, layer in zip(self._layers, parameters, strict=True):
                for mine, array in zip(own, layer, strict=True):
                    mine.copy_(torch.from_numpy(np.array(array, np.float32)))

    def start(self, plan: Plan, seed: int) -> None:
        self._plan, self._seed, self._step = plan, seed, 0
        self._rates, self._decays = rate_factors(self.network, plan), decay_factors(self.network, plan)
        self._first = [tuple(torch.zeros_like(array) for array in layer) for layer in self._layers]
        self._second = [tuple(torch.zeros_like(array) for array in layer) for layer in self._layers]
        for names, layer in zip(self.network.arrays, self._layers, strict=True):
            for name, array in zip(names, layer, strict=True):
                array.requires_grad_(name.partition(".")[0] not in CONSTANTS)

    def train_span(
        self,
        features: EncodedRows,
        targets: NDArray[Any] | SparseLabels,
        order_k: NDArray[np.int64],
        steps: Steps,
        loss: float = 0.0,
        weights: Weights = UNWEIGHTED,
    ) -> float:
        plan = self._plan
        if plan is None:
            raise ValueError("start comes before the first step")
        self._check(features, order_k)
        self._check_targets(targets, weights, len(features))
        self._ready = None
        size = plan.batch_size
        decays = np.ones(len(steps)) if steps.decays is None else steps.decays
        dropouts = np.full(len(steps), plan.dropout) if steps.dropouts is None else steps.dropouts
        with self._settings(self.n_threads):
            for number, (rate, decay, dropout) in enumerate(zip(steps.rates, decays, dropouts, strict=True)):
                rows = order_k[number * size : (number + 1) * size]
                batch = features.take(rows)
                each = None if weights.each is None else weights.each[rows]
                logits_nc = self._forward(self._changed(self._entering(batch)), self._layers, float(dropout))
                losses_n, dlogits_nc = self._head(logits_nc.detach(), targets[rows], Weights(each, weights.positive))
                loss += float(losses_n.sum())
                if logits_nc.requires_grad:
                    logits_nc.backward(dlogits_nc)
                self._update(float(rate), float(decay), occurring(batch))
                self._step += 1
        return loss

    def finish(self) -> None:
        self._plan = None
        self._first, self._second = [], []
        for layer in self._layers:
            for array in layer:
                array.requires_grad_(False)
                array.grad = None

    def logits(self, features: EncodedRows, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        n = len(features) if rows is None else len(rows)
        self._check(features, rows)
        on_processor = self._device.type == "cpu"
        size = PICTURES if on_processor and self.network.residual is not None else BLOCK
        n_threads = min(self.n_threads, -(-n // size)) if on_processor else 1
        out = np.empty((n, self.network.n_outputs), np.float32)

        def compute(start: int) -> None:
            some = np.arange(start, min(start + size, n)) if rows is None else rows[start : start + size]
            filled = np.pad(some, (0, size - len(some)), mode="edge")
            with torch.inference_mode():  # of this thread
                block = self._forward(self._entering(features.take(filled)), layers)
                out[start : start + len(some)] = block[: len(some)].cpu().numpy()

        with self._settings(1 if on_processor else self.n_threads):
            layers = self._predicting()
            if n_threads <= 1:
                for start in range(0, n, size):
                    compute(start)
            else:
                with ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                    for _ in pool.map(compute, range(0, n, size)):
                        pass
        return out

    def _predicting(self) -> list[tuple[Tensor, ...]]:
        """The layers' arrays for predictions, norms folded into their convolutions: once, for it takes as long as a few
        pictures."""
        if self._ready is None:
            with torch.inference_mode():
                self._ready = [
                    _folded(arrays) if isinstance(layer, Residual) else arrays
                    for layer, arrays in zip(self.network.layers, self._layers, strict=True)
                ]
        return self._ready

    def _check(self, features: EncodedRows, rows: NDArray[np.int64] | None) -> None:
        refuse_sparse(self.network, features)
        if features.n_features != self.network.n_features:
            raise ValueError(f"rows must have {self.network.n_features} features; they have {features.n_features}")
        if rows is not None and len(rows) and (rows.min() < 0 or rows.max() >= len(features)):
            raise IndexError(f"row numbers must lie in [0, {len(features)})")

    def _check_targets(self, targets: NDArray[Any] | SparseLabels, weights: Weights, n: int) -> None:
        """The core trusts shapes."""
        c = self.network.n_outputs
        if targets.shape not in ((n, c), (n,) if self.head == "softmax" else (n, c)):
            raise ValueError(f"targets must be of {n} rows and {c} outputs; their shape is {targets.shape}")
        if weights.each is not None and weights.each.shape not in ((n,), (n, c)):
            raise ValueError(f"weights must be (n,) or (n, c); their shape is {weights.each.shape}")
        if weights.positive is not None and weights.positive.shape != (c,):
            raise ValueError(f"positive must be (c,); its shape is {weights.positive.shape}")

    @contextlib.contextmanager
    def _settings(self, n_threads: int) -> Iterator[None]:
        """PyTorch's threads and choices for the whole process, while it computes here: the rest is not ours."""
        before = torch.get_num_threads()
        torch.set_num_threads(n_threads)
        try:
            with torch_settings.ours(self._device):
                yield
        finally:
            torch.set_num_threads(before)

    def _entering(self, batch: EncodedRows) -> Tensor:
        """(n, d) as they enter the network; of sparse rows zeros too, so it is for few rows at a time."""
        if isinstance(batch, SparseFeatures):
            batch = Features(batch.dense())
        values = torch.from_numpy(np.ascontiguousarray(batch.values)).to(self._device)
        if values.dtype == torch.float32:
            return values
        return values.float().mul_(batch.scale).add_(batch.shift)

    def _changed(self, x_nd: Tensor) -> Tensor:
        """The pictures of a training step, augmented."""
        plan, shape = self._plan, self.network.picture_shape
        if plan is None or shape is None or not plan.changes_pictures:
            return x_nd
        pictures = x_nd.cpu().numpy().reshape(len(x_nd), *shape[:2], -1)
        changed = augmented(pictures, plan, self._seed, self._step).reshape(len(x_nd), -1)
        return torch.from_numpy(changed).to(self._device)

    # From rows to logits

    def _forward(self, x_nd: Tensor, layers: Sequence[tuple[Tensor, ...]], dropout: float = 0.0) -> Tensor:
        """`layers`: their arrays, of a `Residual` as `_residual` takes them."""
        pieces: list[Tensor] = []
        for layer, arrays in zip(self.network.layers, layers, strict=True):
            if isinstance(layer, Periodic):
                pieces.append(_periodic(x_nd[:, self._numbers], *arrays))
            elif isinstance(layer, PiecewiseLinear):
                pieces.append(_piecewise_linear(x_nd[:, self._numbers], *arrays))
            elif isinstance(layer, Embedding):
                pieces.append(_embedding(x_nd[:, self._categories].long(), self._firsts, *arrays))
        out = torch.cat([*pieces, x_nd[:, self._others]], dim=1) if pieces else x_nd
        number = 0  # of the dense layer
        for layer, arrays in zip(self.network.layers, layers, strict=True):
            if isinstance(layer, (Periodic, PiecewiseLinear, Embedding)):
                continue
            if isinstance(layer, Residual):
                out = self._residual(layer, out, arrays)
                continue
            if not isinstance(layer, Dense):
                out = out * arrays[0]
                continue
            out = _dense(layer.activation, out, *arrays)
            if dropout > 0 and number < len(self.network.dense) - 1:
                mask = kept(self._seed, self._step, number, tuple(out.shape), dropout)
                out = out * torch.from_numpy(mask.astype(np.float32)).to(self._device)
            number += 1
        return out

    def _residual(self, layer: Residual, x_nd: Tensor, arrays: Sequence[Tensor]) -> Any:
        """(n, channels of the last stage). Norms take the batch's own means and variances in a training step; else they
        are `_folded` into the convolutions."""
        shape = self.network.picture_shape
        assert shape is not None
        trains = not torch.is_inference_mode_enabled()
        each = iter(zip(*[iter(arrays)] * (5 if trains else 2), strict=True))

        def normed(one: Convolution, x: Tensor) -> Any:
            weights, *norm = next(each)
            stride, padding = one.stride, 1
            if one.size == 1:  # a step of its own: oneDNN's writes past its workspace for few channels (its issue 6035)
                x, stride, padding = x[:, :, :: one.stride, :: one.stride], 1, 0
            if not trains:
                return F.conv2d(x, weights, norm[0], stride, padding)
            scale, shift, mean, variance = norm
            z = F.conv2d(x, weights, None, stride, padding)
            if z[:, 0].numel() == 1:  # which PyTorch refuses; two of it have its mean and its variance 0
                return F.batch_norm(torch.cat([z, z]), mean, variance, scale, shift, True, NORM_MOMENTUM, NORM_EPSILON)[
                    :1
                ]
            return F.batch_norm(z, mean, variance, scale, shift, True, NORM_MOMENTUM, NORM_EPSILON)

        narrow = trains and self._plan is not None and self._plan.precision == "bfloat16"
        with torch.autocast(self._device.type, torch.bfloat16, enabled=narrow):
            out = x_nd.reshape(len(x_nd), *shape[:2], -1).permute(0, 3, 1, 2)  # the channels stay last in memory
            out = normed(layer.stem(self.network.channels), out).relu_()
            for first, second, shortcut in layer.stages():
                inner = normed(second, normed(first, out).relu_())
                out = inner.add_(out if shortcut is None else normed(shortcut, out)).relu_()
        return out.float().mean(dim=(2, 3))

    def _head(self, logits_nc: Tensor, targets: NDArray[Any], counts: Weights) -> tuple[Any, Tensor]:
        """Weighted loss of each row, and the gradient of their mean: by the core on the processor."""
        assert self._plan is not None
        smoothing, n = self._plan.label_smoothing, len(logits_nc)
        if self._device.type == "cpu":
            z_nc, targets = logits_nc.contiguous().numpy(), np.ascontiguousarray(targets)
            if self.head == "softmax":
                losses_n, dlogits_nc = from_logits.softmax_step(z_nc, targets, smoothing, counts.each, n)
            else:
                losses_n, dlogits_nc = from_logits.sigmoid_step(
                    z_nc, targets, smoothing, counts.each, counts.positive, n
                )
            return losses_n, torch.from_numpy(dlogits_nc)
        wide = torch_heads.wide_of(self._device)

        def there(values: NDArray[Any] | None) -> Tensor | None:
            return None if values is None else torch.from_numpy(values).to(self._device, wide)

        z = logits_nc.to(wide)
        if self.head == "sigmoid":
            aims = there(targets)
            assert aims is not None
            return torch_heads.sigmoid_step(z, aims, smoothing, there(counts.each), there(counts.positive), n)
        classes = torch.from_numpy(targets).to(self._device, torch.int64 if targets.ndim == 1 else wide)
        return torch_heads.softmax_step(z, classes, smoothing, there(counts.each), n)

    def _update(self, rate: float, decay: float, occurring_d: NDArray[np.bool_]) -> None:
        """One step; the formulas are those of the reference."""
        plan, t = self._plan, self._step + 1
        assert plan is not None
        learning = [
            (w, m, v, factor, plan.weight_decay * decay * own_decay, layer == part == 0 and not self.network.front)
            for layer, arrays in enumerate(self._layers)
            for part, (w, m, v, factor, own_decay) in enumerate(
                zip(
                    arrays, self._first[layer], self._second[layer], self._rates[layer], self._decays[layer],
                    strict=True,
                )
            )
        ]  # fmt: skip
        with torch.no_grad():
            if plan.clip_norm is not None:
                norms = torch.stack([torch.linalg.vector_norm(w.grad) for w, *_ in learning if w.grad is not None])
                share = (plan.clip_norm / torch.linalg.vector_norm(norms)).clamp(max=1.0)
                for w, *_ in learning:
                    if w.grad is not None:
                        w.grad.mul_(share)
            for w, m, v, factor, own_decay, is_first in learning:
                g, w.grad = w.grad, None
                if factor == 0:
                    continue
                g = torch.zeros_like(w) if g is None else g
                own_rate = rate * factor
                if own_decay and plan.optimizer != "adamw":
                    if is_first and not occurring_d.all():
                        g.add_(w * torch.from_numpy(occurring_d).to(self._device), alpha=own_decay)
                    else:
                        g.add_(w, alpha=own_decay)
                if plan.optimizer == "sgd":
                    m.mul_(plan.momentum).add_(g)
                    w.sub_(m, alpha=own_rate)
                elif plan.optimizer == "nesterov":
                    m.mul_(plan.momentum).add_(g, alpha=own_rate)
                    w.sub_(m, alpha=plan.momentum).sub_(g, alpha=own_rate)
                else:
                    m.mul_(plan.beta1).add_(g, alpha=1 - plan.beta1)
                    v.mul_(plan.beta2).addcmul_(g, g, value=1 - plan.beta2)
                    if plan.optimizer == "adamw":
                        w.mul_(1 - rate * own_decay)
                    root = v.sqrt().div_(math.sqrt(1 - plan.beta2**t)).add_(plan.epsilon)
                    w.addcdiv_(m, root, value=-own_rate / (1 - plan.beta1**t))


def _empty(shape: tuple[int, ...], device: torch.device) -> Any:
    """Zeros; of a convolution's weights the channels last in memory, as its pictures have them."""
    zeros = torch.zeros(shape, device=device)
    return zeros.to(memory_format=torch.channels_last) if len(shape) == 4 else zeros


def _folded(arrays: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Of each convolution its weights and biases that do what the norm behind it does in a prediction."""
    folded: list[Tensor] = []
    for weights, scale, shift, mean, variance in zip(*[iter(arrays)] * 5, strict=True):
        factor = scale / (variance + NORM_EPSILON).sqrt()
        folded += [weights * factor[:, None, None, None], shift - mean * factor]
    return tuple(folded)


def _periodic(x_nk: Tensor, frequencies_kf: Tensor, phases_kf: Tensor, mixtures_kmf: Tensor, shifts_km: Tensor) -> Any:
    turns_nkf = x_nk[:, :, None] * frequencies_kf + phases_kf
    waves_nkf = torch.cos(2 * math.pi * (turns_nkf - turns_nkf.detach().round()))  # whole turns are exact, 2π is not
    mixed_nkm = _mixed(mixtures_kmf, waves_nkf) + shifts_km
    return torch.cat([x_nk[:, :, None], mixed_nkm], dim=2).flatten(1)


def _piecewise_linear(x_nk: Tensor, edges_ke: Tensor, mixtures_kmb: Tensor, shifts_km: Tensor) -> Any:
    left_kb, right_kb = edges_ke[:, :-1], edges_ke[:, 1:]
    width_kb = torch.where(right_kb > left_kb, right_kb - left_kb, math.inf)
    components_nkb = ((x_nk[:, :, None] - left_kb) / width_kb).clamp(0.0, 1.0)
    mixed_nkm = _mixed(mixtures_kmb, components_nkb) + shifts_km
    return torch.cat([x_nk[:, :, None], mixed_nkm], dim=2).flatten(1)


def _mixed(mixtures_kmf: Tensor, parts_nkf: Tensor) -> Any:
    """(n, k, m): of each column its parts, mixed."""
    if torch.is_inference_mode_enabled():  # a sum of its own for each row, whatever its place
        return (mixtures_kmf * parts_nkf[:, :, None, :]).sum(dim=3)
    return torch.einsum("kmf,nkf->nkm", mixtures_kmf, parts_nkf)


def _embedding(codes_nk: Tensor, firsts_k: Tensor, vectors_ve: Tensor) -> Any:
    has_vector_nk = codes_nk >= 0
    rows_nk = torch.where(has_vector_nk, codes_nk + firsts_k, 0)
    return torch.where(has_vector_nk[:, :, None], F.embedding(rows_nk, vectors_ve), 0.0).flatten(1)


ACTIVATIONS = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "silu": F.silu,
    "selu": F.selu,
    "sigmoid": torch.sigmoid,
    "linear": lambda z: z,
}


def _dense(activation: str, x_nd: Tensor, w_hd: Tensor, b_h: Tensor, a_h: Tensor | None = None) -> Any:
    h = len(w_hd)
    if torch.is_inference_mode_enabled() and h < LEAST_WIDTH:
        z_nh = F.linear(x_nd, F.pad(w_hd, (0, 0, 0, LEAST_WIDTH - h)), F.pad(b_h, (0, LEAST_WIDTH - h)))[:, :h]
    else:
        z_nh = F.linear(x_nd, w_hd, b_h)
    if a_h is not None:
        return z_nh + a_h * (F.selu(z_nh) - z_nh)
    return ACTIVATIONS[activation](z_nh)
