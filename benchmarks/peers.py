"""The losses and probabilities of each library, float32 logits in, as its users call them.

Gradients come from the library: from automatic differentiation where it has that, of the sum of the losses, so that
each is the gradient of its own loss and no mean comes in. Recipes from SciPy's functions are what its users write.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Pair = tuple[Array, Array | None]
"""Losses, and their gradients where there are any."""


class Peer:
    """One library. What it doesn't have is None."""

    name: ClassVar[str]
    module: ClassVar[str]
    functions: dict[str, Callable[[Array], Array]]
    """softmax, log_softmax, logsumexp over the last axis; sigmoid, log_sigmoid."""

    def sigmoid_cross_entropy(self, logits_n: Array, targets_n: Array) -> Pair | None:
        return None

    def softmax_cross_entropy(self, logits_nc: Array, labels_n: Array) -> Pair | None:
        return None

    @classmethod
    def is_installed(cls) -> bool:
        return find_spec(cls.module) is not None

    @classmethod
    def package(cls) -> str:
        """The name under which it was installed: tensorflow may have come as tensorflow-cpu."""
        return packages_distributions().get(cls.module, [cls.module])[0]


class Ours(Peer):
    name, module = "fromlogits", "fromlogits"

    def __init__(self) -> None:
        import fromlogits as fl

        self.fl = fl
        names = ("softmax", "log_softmax", "logsumexp", "sigmoid", "log_sigmoid")
        self.functions = {name: getattr(fl, name) for name in names}

    def sigmoid_cross_entropy(self, logits_n: Array, targets_n: Array) -> Pair:
        return self.fl.sigmoid_cross_entropy(logits_n, targets_n, reduction="none", with_gradient=True)

    def softmax_cross_entropy(self, logits_nc: Array, labels_n: Array) -> Pair:
        return self.fl.softmax_cross_entropy(logits_nc, labels_n, reduction="none", with_gradient=True)


class Torch(Peer):
    name, module = "PyTorch", "torch"

    def __init__(self) -> None:
        import torch

        self.torch, self.F = torch, torch.nn.functional
        wanted = {
            "softmax": lambda z: torch.softmax(z, -1),
            "log_softmax": lambda z: torch.log_softmax(z, -1),
            "logsumexp": lambda z: torch.logsumexp(z, -1),
            "sigmoid": torch.sigmoid,
            "log_sigmoid": self.F.logsigmoid,
        }
        self.functions = {name: lambda z, f=f: f(torch.from_numpy(z)).numpy() for name, f in wanted.items()}

    def _with_gradient(self, loss_of: Callable[[Any], Any], logits: Array) -> Pair:
        z = self.torch.from_numpy(logits).clone().requires_grad_()
        losses = loss_of(z)
        losses.sum().backward()
        return losses.detach().numpy(), z.grad.numpy()

    def sigmoid_cross_entropy(self, logits_n: Array, targets_n: Array) -> Pair:
        t = self.torch.from_numpy(targets_n)
        loss = self.F.binary_cross_entropy_with_logits
        return self._with_gradient(lambda z: loss(z, t, reduction="none"), logits_n)

    def softmax_cross_entropy(self, logits_nc: Array, labels_n: Array) -> Pair:
        y = self.torch.from_numpy(labels_n)
        return self._with_gradient(lambda z: self.F.cross_entropy(z, y, reduction="none"), logits_nc)


class Optax(Peer):
    name, module = "JAX/optax", "optax"

    def __init__(self) -> None:
        import jax
        import optax

        def with_gradient(losses_of: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
            def total(z: Any, targets: Any) -> Any:
                losses = losses_of(z, targets)
                return losses.sum(), losses

            return jax.jit(jax.grad(total, has_aux=True))

        self.jax = jax
        self.sigmoid = with_gradient(optax.sigmoid_binary_cross_entropy)
        self.softmax = with_gradient(optax.softmax_cross_entropy_with_integer_labels)
        self.softmax_one_hot = with_gradient(optax.softmax_cross_entropy)
        wanted = {
            "softmax": jax.nn.softmax,
            "log_softmax": jax.nn.log_softmax,
            "logsumexp": lambda z: jax.nn.logsumexp(z, axis=-1),
            "sigmoid": jax.nn.sigmoid,
            "log_sigmoid": jax.nn.log_sigmoid,
        }
        compiled = {name: jax.jit(f) for name, f in wanted.items()}
        self.functions = {name: lambda z, f=f: np.asarray(f(z)) for name, f in compiled.items()}

    def sigmoid_cross_entropy(self, logits_n: Array, targets_n: Array) -> Pair:
        dlogits_n, losses_n = self.sigmoid(logits_n, targets_n)
        return np.asarray(losses_n), np.asarray(dlogits_n)

    def softmax_cross_entropy(self, logits_nc: Array, labels_n: Array) -> Pair:
        dlogits_nc, losses_n = self.softmax(logits_nc, labels_n.astype(np.int32))
        return np.asarray(losses_n), np.asarray(dlogits_nc)


class OptaxOneHot(Optax):
    """optax.softmax_cross_entropy; the one-hot labels are an argument of the compiled step."""

    name = "optax, one-hot"

    def __init__(self) -> None:
        super().__init__()
        self.functions = {}  # they are JAX's, above

    def sigmoid_cross_entropy(self, logits_n: Array, targets_n: Array) -> None:
        return None

    def softmax_cross_entropy(self, logits_nc: Array, labels_n: Array) -> Pair:
        one_hot_nc = self.jax.nn.one_hot(labels_n, logits_nc.shape[1])
        dlogits_nc, losses_n = self.softmax_one_hot(logits_nc, one_hot_nc)
        return np.asarray(losses_n), np.asarray(dlogits_nc)


class TensorFlow(Peer):
    name, module = "TensorFlow", "tensorflow"

    def __init__(self) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import tensorflow as tf

        self.tf = tf
        wanted = {
            "softmax": tf.nn.softmax,
            "log_softmax": tf.nn.log_softmax,
            "logsumexp": lambda z: tf.reduce_logsumexp(z, axis=-1),
            "sigmoid": tf.sigmoid,
            "log_sigmoid": tf.math.log_sigmoid,
        }
        self.functions = {name: lambda z, f=f: f(tf.constant(z)).numpy() for name, f in wanted.items()}

    def _with_gradient(self, losses_of: Callable[[Any], Any], logits: Array) -> Pair:
        z = self.tf.constant(logits)
        with self.tf.GradientTape() as tape:
            tape.watch(z)
            losses = losses_of(z)
        return losses.numpy(), tape.gradient(losses, z).numpy()

    def sigmoid_cross_entropy(self, logits_n: Array, targets_n: Array) -> Pair:
        loss = self.tf.nn.sigmoid_cross_entropy_with_logits
        return self._with_gradient(lambda z: loss(labels=targets_n, logits=z), logits_n)

    def softmax_cross_entropy(self, logits_nc: Array, labels_n: Array) -> Pair:
        loss = self.tf.nn.sparse_softmax_cross_entropy_with_logits
        return self._with_gradient(lambda z: loss(labels=labels_n, logits=z), logits_nc)


class Keras(TensorFlow):
    """Keras on TensorFlow; a mean over one label is that label's loss."""

    name, module = "Keras", "keras"

    def __init__(self) -> None:
        os.environ["KERAS_BACKEND"] = "tensorflow"
        super().__init__()
        import keras

        self.binary = keras.losses.BinaryCrossentropy(from_logits=True, reduction=None)
        self.sparse = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)
        wanted = {
            "softmax": keras.ops.softmax,
            "log_softmax": keras.ops.log_softmax,
            "logsumexp": lambda z: keras.ops.logsumexp(z, axis=-1),
            "sigmoid": keras.ops.sigmoid,
            "log_sigmoid": keras.ops.log_sigmoid,
        }
        self.functions = {name: lambda z, f=f: f(self.tf.constant(z)).numpy() for name, f in wanted.items()}

    @classmethod
    def is_installed(cls) -> bool:
        return super().is_installed() and find_spec(TensorFlow.module) is not None

    def sigmoid_cross_entropy(self, logits_n: Array, targets_n: Array) -> Pair:
        return self._with_gradient(lambda z: self.binary(targets_n[:, None], z[:, None]), logits_n)

    def softmax_cross_entropy(self, logits_nc: Array, labels_n: Array) -> Pair:
        return self._with_gradient(lambda z: self.sparse(labels_n, z), logits_nc)


class SciPy(Peer):
    name, module = "SciPy", "scipy"

    def __init__(self) -> None:
        from scipy import special

        self.special = special
        self.functions = {
            "softmax": lambda z: special.softmax(z, axis=-1),
            "log_softmax": lambda z: special.log_softmax(z, axis=-1),
            "logsumexp": lambda z: special.logsumexp(z, axis=-1),
            "sigmoid": special.expit,
            "log_sigmoid": special.log_expit,
        }

    def sigmoid_cross_entropy(self, logits_n: Array, targets_n: Array) -> Pair:
        log_p = self.special.log_expit
        losses_n = -(targets_n * log_p(logits_n) + (1 - targets_n) * log_p(-logits_n))
        return losses_n, self.special.expit(logits_n) - targets_n

    def softmax_cross_entropy(self, logits_nc: Array, labels_n: Array) -> Pair:
        rows_n = np.arange(len(labels_n))
        dlogits_nc = self.special.softmax(logits_nc, axis=1)
        dlogits_nc[rows_n, labels_n] -= 1
        return -self.special.log_softmax(logits_nc, axis=1)[rows_n, labels_n], dlogits_nc


class SciPyShifted(SciPy):
    """logsumexp(z − z_y): what a careful user can write; it has no gradient."""

    name = "SciPy, shifted"

    def __init__(self) -> None:
        super().__init__()
        self.functions = {}

    def sigmoid_cross_entropy(self, logits_n: Array, targets_n: Array) -> None:
        return None

    def softmax_cross_entropy(self, logits_nc: Array, labels_n: Array) -> Pair:
        shifted_nc = logits_nc - logits_nc[np.arange(len(labels_n)), labels_n, None]
        return self.special.logsumexp(shifted_nc, axis=1), None


class Sklearn(Peer):
    """The losses inside LogisticRegression and the gradient boosting, by the call that fitting makes.

    Its `loss` alone takes another path: for y = 1 it is 0 from z = 33.5 on (1.9.1).
    """

    name, module = "scikit-learn", "sklearn"

    def __init__(self) -> None:
        from sklearn._loss import HalfBinomialLoss, HalfMultinomialLoss

        self.binomial, self.multinomial = HalfBinomialLoss(), HalfMultinomialLoss
        self.functions = {}

    def sigmoid_cross_entropy(self, logits_n: Array, targets_n: Array) -> Pair:
        return self.binomial.loss_gradient(y_true=targets_n, raw_prediction=logits_n)

    def softmax_cross_entropy(self, logits_nc: Array, labels_n: Array) -> Pair:
        loss = self.multinomial(n_classes=logits_nc.shape[1])
        return loss.loss_gradient(y_true=labels_n.astype(np.float32), raw_prediction=logits_nc)


PEERS: tuple[type[Peer], ...] = (Ours, Torch, Optax, OptaxOneHot, TensorFlow, Keras, SciPy, SciPyShifted, Sklearn)
