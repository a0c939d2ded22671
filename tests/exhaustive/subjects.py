"""The sigmoid cross-entropy and its gradient as each library computes them: ours, and every peer that is installed.

A subject takes float32 logits and 0/1 labels (n,) and returns losses and gradients (n,). Peers are called as their
documentation shows; where one has no call for both, it is given the usual formula on its own functions.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Both = Callable[[Float32, Float32], tuple[Float32, Float32]]


class Subject(NamedTuple):
    package: str  # as pip knows it
    title: str
    call: str  # what is called, to be read by people
    load: Callable[[int], Both]  # for so many threads


def _fromlogits(threads: int) -> Both:
    os.environ["FROMLOGITS_THREADS"] = str(threads)
    import fromlogits

    def both(z_n: Float32, y_n: Float32) -> tuple[Float32, Float32]:
        return fromlogits.sigmoid_cross_entropy(z_n, y_n, reduction="none", with_gradient=True)

    return both


def _torch(threads: int) -> Both:
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    torch.set_num_threads(threads)

    def both(z_n: Float32, y_n: Float32) -> tuple[Float32, Float32]:
        z = torch.from_numpy(z_n).requires_grad_()
        losses = binary_cross_entropy_with_logits(z, torch.from_numpy(y_n), reduction="none")
        [gradients] = torch.autograd.grad(losses, z, torch.ones_like(losses))
        return losses.detach().numpy(), gradients.numpy()

    return both


def _optax(threads: int) -> Both:
    if threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    import jax
    import optax

    def with_gradients(z: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
        losses, pull_back = jax.vjp(lambda z: optax.sigmoid_binary_cross_entropy(z, y), z)
        return losses, pull_back(jax.numpy.ones_like(losses))[0]

    jitted = jax.jit(with_gradients)

    def both(z_n: Float32, y_n: Float32) -> tuple[Float32, Float32]:
        losses, gradients = jitted(z_n, y_n)
        return np.asarray(losses), np.asarray(gradients)

    return both


def _tensorflow(threads: int) -> Both:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)

    def both(z_n: Float32, y_n: Float32) -> tuple[Float32, Float32]:
        z, y = tf.constant(z_n), tf.constant(y_n)
        with tf.GradientTape() as tape:
            tape.watch(z)
            losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=z)
        return losses.numpy(), tape.gradient(losses, z).numpy()

    return both


def _scipy(threads: int) -> Both:
    from scipy.special import expit, log_expit

    def both(z_n: Float32, y_n: Float32) -> tuple[Float32, Float32]:
        return -(y_n * log_expit(z_n) + (1 - y_n) * log_expit(-z_n)), expit(z_n) - y_n

    return both


def _sklearn(threads: int) -> Both:
    from sklearn._loss import HalfBinomialLoss

    half_binomial = HalfBinomialLoss()

    def both(z_n: Float32, y_n: Float32) -> tuple[Float32, Float32]:
        losses_n, gradients_n = half_binomial.loss_gradient(y_n, z_n, n_threads=threads)
        return losses_n, gradients_n

    return both


def _sklearn_alone(threads: int) -> Both:
    from sklearn._loss import HalfBinomialLoss

    half_binomial = HalfBinomialLoss()

    def both(z_n: Float32, y_n: Float32) -> tuple[Float32, Float32]:
        return half_binomial.loss(y_n, z_n, n_threads=threads), half_binomial.gradient(y_n, z_n, n_threads=threads)

    return both


OURS = "fromlogits"
SUBJECTS = {
    OURS: Subject("fromlogits", "fromlogits", "sigmoid_cross_entropy(z, y, with_gradient=True)", _fromlogits),
    "torch": Subject("torch", "PyTorch", "binary_cross_entropy_with_logits, autograd", _torch),
    "optax": Subject("optax", "JAX / optax", "sigmoid_binary_cross_entropy, jit, vjp", _optax),
    "tensorflow": Subject("tensorflow", "TensorFlow", "sigmoid_cross_entropy_with_logits, GradientTape", _tensorflow),
    "scipy": Subject("scipy", "SciPy", "−(y·log_expit(z) + (1−y)·log_expit(−z)), expit(z) − y", _scipy),
    "sklearn": Subject("scikit-learn", "scikit-learn", "HalfBinomialLoss().loss_gradient", _sklearn),
    # The loss alone is another formula there.
    "sklearn-alone": Subject("scikit-learn", "scikit-learn", "HalfBinomialLoss().loss and .gradient", _sklearn_alone),
}
OTHER_BUILDS = {"tensorflow": "tensorflow-cpu"}


def version_of(name: str) -> str | None:
    """The installed version, or None."""
    package = SUBJECTS[name].package
    for each in (package, OTHER_BUILDS.get(package, package)):
        with contextlib.suppress(PackageNotFoundError):
            return version(each)
    return None
