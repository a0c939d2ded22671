"""JAX by hand: an epoch is one jitted lax.scan, Adam by hand, state donated, He's weights; whole batches only."""

import track

options = track.arguments()
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

track.tell("imported")


def logits_of(layers, x_nd):
    for w_dh, b_h in layers[:-1]:
        x_nd = jax.nn.relu(x_nd @ w_dh + b_h)
    return x_nd @ layers[-1][0] + layers[-1][1]


def loss_of(layers, x_nd, labels_n):
    log_p_nc = jax.nn.log_softmax(logits_of(layers, x_nd))
    return -jnp.take_along_axis(log_p_nc, labels_n[:, None], axis=1).mean()


def train_epoch(state, order_sb, total, rows_nd, labels):
    def step(state, rows):
        layers, mean, square, t = state
        gradient = jax.grad(loss_of)(layers, rows_nd[rows], labels[rows])
        rate = track.RATE * 0.5 * (1 + jnp.cos(jnp.pi * t / total))
        t = t + 1
        mean = jax.tree.map(lambda m, g: track.BETA1 * m + (1 - track.BETA1) * g, mean, gradient)
        square = jax.tree.map(lambda v, g: track.BETA2 * v + (1 - track.BETA2) * g * g, square, gradient)
        size, correction = rate / (1 - track.BETA1**t), 1 / (1 - track.BETA2**t)
        layers = jax.tree.map(
            lambda w, m, v: w - size * m / (jnp.sqrt(v * correction) + track.EPSILON), layers, mean, square
        )
        return (layers, mean, square, t), None

    return jax.lax.scan(step, state, order_sb)[0]


def accuracy_of(layers, rows_nd, labels_n):
    return (logits_of(layers, rows_nd).argmax(axis=1) == labels_n).mean()


train, train_labels, test, test_labels = track.load(options.data)
train, test = jnp.asarray(track.floats(train)), jnp.asarray(track.floats(test))
train_labels, test_labels = jnp.asarray(train_labels, jnp.int32), jnp.asarray(test_labels, jnp.int32)
rng = np.random.default_rng(options.seed)
layers = [
    (jnp.asarray(rng.normal(0, np.sqrt(2 / d), (d, h)), jnp.float32), jnp.zeros(h))
    for d, h in zip(options.units, options.units[1:], strict=False)
]
state = (layers, jax.tree.map(jnp.zeros_like, layers), jax.tree.map(jnp.zeros_like, layers), jnp.float32(0))
run, judge = jax.jit(train_epoch, donate_argnums=0), jax.jit(accuracy_of)
whole = len(train) // options.batch * options.batch
for epoch in range(1, options.epochs + 1):
    order = rng.permutation(len(train))[:whole].astype(np.int32).reshape(-1, options.batch)
    state = run(state, order, options.epochs * len(order), train, train_labels)
    track.lap(epoch, float(judge(state[0], test, test_labels)))
track.finish(options)
