"""What each array of a network learns at and how it decays, beside the plan's learning rate and weight decay."""

from __future__ import annotations

import math

from ..spec import Dense, Network, PiecewiseLinear, Plan, Residual, Scaling

RUNNING = ("means", "variances")
"""Arrays of a batch norm that follow the batches."""


def rate_factors(network: Network, plan: Plan) -> list[tuple[float, ...]]:
    """Per layer, of each of its arrays (`Network.arrays`): what the learning rate is times."""
    factors = []
    for layer, arrays in zip(network.layers, network.arrays, strict=True):
        if isinstance(layer, Dense):
            width = arrays["weights"][1]
            of_array = {
                "weights": 1 / math.sqrt(width) if plan.rate_by_width else 1.0,
                "biases": plan.bias_rate,
                "slopes": plan.slope_rate,
            }
            factors.append(tuple(of_array[name] for name in arrays))
        elif isinstance(layer, Residual):
            factors.append(tuple(0.0 if _kind(name) in RUNNING else 1.0 for name in arrays))
        elif isinstance(layer, PiecewiseLinear):
            factors.append(tuple(0.0 if name == "edges" else plan.embedding_rate for name in arrays))
        else:
            one = plan.scaling_rate if isinstance(layer, Scaling) else plan.embedding_rate
            factors.append((one,) * len(arrays))
    return factors


def decay_factors(network: Network, plan: Plan) -> list[tuple[float, ...]]:
    """Per layer, of each of its arrays: what the weight decay is times.

    With adamw an array shrinks by learning rate · weight_decay · factor a step, whatever its rate factor: so a weight
    that learns more slowly because its layer is wide decays as it would in the neural-tangent parametrisation. What
    learns at 0 stays as it is and does not decay either.
    """
    of_array = {"weights": 1.0, "factors": plan.scaling_decay if plan.scaling_rate > 0 else 0.0}
    return [tuple(of_array.get(_kind(name), 0.0) for name in arrays) for arrays in network.arrays]


def _kind(name: str) -> str:
    """Of an array: "weights" of "weights.3"."""
    return name.partition(".")[0]
