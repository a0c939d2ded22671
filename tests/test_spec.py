from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from fromlogits.errors import InputError
from fromlogits.spec import (
    Columns,
    Dense,
    Embedding,
    Network,
    Periodic,
    PiecewiseLinear,
    Plan,
    Scaling,
    one_of,
    parse_layers,
)


def lesson(last: str = "linear") -> Network:
    return Network((Dense(25, "relu"), Dense(15, "relu"), Dense(10, last)))


def test_the_lesson_network_has_20175_parameters() -> None:
    network = lesson().with_input(784)
    assert network.shapes == ((25, 784), (15, 25), (10, 15))
    assert network.n_parameters == 20_175
    assert str(network).splitlines()[-1].split() == ["total", "20,175"]
    assert [line.split()[:2] for line in str(network).splitlines()[1:4]] == [
        ["25", "relu"],
        ["15", "relu"],
        ["10", "linear"],
    ]


def test_a_network_without_input_still_prints() -> None:
    assert str(lesson()) == "Network(input -> 25 relu -> 15 relu -> 10 linear)"


@pytest.mark.parametrize("last", ["linear", "softmax", "sigmoid"])
def test_the_last_activation_names_the_head_and_the_network_stays_linear(last: str) -> None:
    network = lesson(last)
    assert network.stated_head == (None if last == "linear" else last)
    assert network.with_input(784) == lesson().with_input(784)


def test_identity_is_another_word_for_linear() -> None:
    assert Dense(3, "identity") == Dense(3, "linear") == Dense(3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dense(0), "Dense units must be a whole number from 1"),
        (lambda: Dense(True), "Dense units must be"),
        (lambda: Dense(2.0), "Dense units must be"),  # type: ignore[arg-type]
        (lambda: Dense(3, "rleu"), "Did you mean 'relu'?"),
        (lambda: Network(()), "the number of layers"),
        (lambda: Network((Dense(3, "softmax"), Dense(2))), "layer 1, a hidden layer"),
        (lambda: Network((Dense(3, "relu"),)), "add a last layer Dense"),
        (lambda: Network(("relu",)), "layer 1 of the network must be a Dense layer"),  # type: ignore[arg-type]
        (lambda: Network((Dense(10**7, "relu"), Dense(10**7))).with_input(10), "GiB"),
        (lambda: Plan(dropout=1.0), r"dropout must be a number in \[0, 0.99\]"),
        (lambda: Plan(learning_rate=0.0), r"learning_rate must be a number in \(0,"),
        (lambda: Plan(learning_rate=float("nan")), "learning_rate"),
        (lambda: Plan(optimizer="adma"), "Did you mean 'adam'?"),
        (lambda: Plan(max_epochs=0), "max_epochs"),
        (lambda: Plan(early_stopping="yes"), "True or False"),  # type: ignore[arg-type]
        (lambda: Plan().replace({"momentun": 0.5}), "Did you mean 'momentum'?"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_networks_and_plans_survive_json() -> None:
    network, plan = lesson().with_input(784), Plan(optimizer="sgd", clip_norm=1.5, max_epochs=7)
    assert Network.from_json(json.loads(json.dumps(network.to_json()))) == network
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_numpy_scalars_become_what_json_knows() -> None:
    plan = Plan(batch_size=np.int64(8), learning_rate=np.float32(0.5))  # type: ignore[arg-type]
    assert json.dumps(plan.to_json())
    assert plan.batch_size == 8


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"n_features": 3},
        {"n_features": 3, "layers": [{"kind": "conv", "units": 1, "activation": "linear"}]},
        {"n_features": -1, "layers": [{"kind": "dense", "units": 1, "activation": "linear"}]},
        {"n_features": 3, "layers": [{"kind": "dense", "units": 1}]},
        {"n_features": 3, "layers": [{"kind": "dense", "units": 1, "activation": []}]},
        {"n_features": 3, "layers": [{"kind": "dense", "units": 10**12, "activation": "linear"}]},
        {"n_features": 3, "layers": [{"kind": "scaling"}]},
        {
            "n_features": 3,
            "layers": [{"kind": "embedding", "outputs": 8}, {"kind": "dense", "units": 1, "activation": "linear"}],
        },
        {
            "n_features": 3,
            "columns": {"numbers": [], "categories": [[0, 10**7]]},
            "layers": [{"kind": "embedding", "outputs": 1024}, {"kind": "dense", "units": 1, "activation": "linear"}],
        },
    ],
)
def test_a_strangers_network_is_refused(value: object) -> None:
    with pytest.raises(InputError):
        Network.from_json(value)


def test_a_network_with_layers_in_front_survives_json_and_lists_its_widths() -> None:
    layers = (Periodic(4, 2, 0.5), Embedding(3), Scaling(), Dense(5, "parametric_selu"), Dense(2))
    network = Network(layers).with_input(6, Columns((0, 3), ((5, 7),)))
    assert Network.from_json(network.to_json()) == network
    assert str(network).splitlines() == [
        "layer             shape    parameters",
        "periodic 4 2 0.5  6 -> 10          36",
        "embedding 3       10 -> 12         21",
        "scaling           12 -> 12         12",
        "5 parametric_selu 12 -> 5          70",
        "2 linear          5 -> 2           12",
        "total                             151",
    ]
    assert parse_layers("periodic 4 2 0.5, embedding 3, scaling, 5 parametric_selu, 2 linear") == Network(layers)
    assert parse_layers("periodic, 2 linear") == Network((Periodic(), Dense(2)))
    for text in (
        "periodic 1.5, 2 linear",
        "scaling 2, 2 linear",
        "embedding 3 4, 2 linear",
        "piecewise 4 2 1, 2 linear",
    ):
        with pytest.raises(InputError, match="layers must be hidden units"):
            parse_layers(text)


def test_a_network_with_bins_survives_json_and_lists_its_widths() -> None:
    layers = (PiecewiseLinear(5, 2), Embedding(3), Dense(2))
    network = Network(layers).with_input(6, Columns((0, 3), ((5, 7),)))
    assert Network.from_json(network.to_json()) == network
    assert str(network).splitlines() == [
        "layer         shape    parameters",
        "piecewise 5 2 6 -> 10          36",
        "embedding 3   10 -> 12         21",
        "2 linear      12 -> 2          26",
        "total                          83",
    ]
    assert parse_layers("piecewise 5 2, embedding 3, 2 linear") == Network(layers)
    assert parse_layers("piecewise, 2 linear") == Network((PiecewiseLinear(48, 8), Dense(2)))
    for bins, mixtures in ((0, 8), (1025, 8), (48, 0), (48, 1025), (True, 8), (4.0, 8)):
        with pytest.raises(InputError, match=r"PiecewiseLinear (bins|mixtures) must be a whole number from 1 to 1024"):
            PiecewiseLinear(bins, mixtures)  # type: ignore[arg-type]


@pytest.mark.parametrize("both", [(Periodic(), PiecewiseLinear()), (PiecewiseLinear(), Periodic())])
def test_numbers_are_embedded_in_one_way_or_the_other(both: tuple[Any, ...]) -> None:
    with pytest.raises(InputError, match=r"^layer 2 is \w+: Periodic or PiecewiseLinear, Embedding, Scaling stand in"):
        Network((*both, Dense(2)))
    with pytest.raises(InputError, match=r"needs columns: what they embed"):
        Network((both[0], Dense(2)), 3)


def test_layers_are_read_from_a_command_line() -> None:
    assert parse_layers("25,15") == (25, 15)
    assert parse_layers("") == ()
    assert parse_layers("25 relu, 15 relu, 10 linear") == lesson()
    with pytest.raises(InputError, match="25 relu"):
        parse_layers("25,fifteen")


@pytest.mark.parametrize("size", [10_000, 10_000_000])
def test_a_value_of_any_size_is_told_in_a_short_line(size: int) -> None:
    for value in ("x" * size, [0] * size, {"k" * size: 1}):
        with pytest.raises(InputError) as caught:
            one_of("head", value, ("softmax", "sigmoid"))
        assert len(str(caught.value)) < 300
