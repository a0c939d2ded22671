"""What is trained and how: frozen descriptions, checked when built, JSON in and JSON out.

`Network` says which layers; `Plan` says how they are trained. Neither holds a number that was learned.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

from .errors import InputError, brief, nearest

HIDDEN_ACTIVATIONS = ("relu", "tanh", "gelu", "silu", "selu", "sigmoid", "parametric_selu", "linear")
OUTPUT_ACTIVATIONS = ("linear", "softmax", "sigmoid")
OPTIMIZERS = ("adam", "adamw", "sgd", "nesterov")
SCHEDULES = ("constant", "cosine", "coslog4", "flat_cosine")
FADES = ("constant", "flat_cosine")
INITIALISATIONS = ("uniform", "data")
PRECISIONS = ("float32", "bfloat16")
NUMBER_SCALES = ("standard", "robust")
HeadName = Literal["softmax", "sigmoid"]

# A file from a stranger is bounded by these before memory is taken; no real network comes near them.
MAX_LAYERS = 1_000
MAX_UNITS = 10_000_000
MAX_PARAMETERS = 4_000_000_000
MAX_NETWORKS = 4_096
MAX_LAYERS_IN_ALL = 40_960  # a layer of one unit is a few bytes of the file and some 700 of memory


def one_of(name: str, value: object, allowed: Sequence[str]) -> None:
    """Raise InputError unless `value` is one of the allowed words."""
    if value not in allowed:
        hint = nearest(value, allowed) if isinstance(value, str) else ""
        raise InputError(f"{name} must be one of {', '.join(allowed)}; got {brief(value)}.{hint}")


def _whole(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"{name} must be a whole number from {low} to {high}; got {brief(value)}.")


def _number(
    name: str, value: object, low: float, high: float, *, open_low: bool = False, open_high: bool = False
) -> None:
    fine = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if fine:
        assert isinstance(value, (int, float))
        fine = (low < value if open_low else low <= value) and (value < high if open_high else value <= high)
    if not fine:
        left, right = "(" if open_low else "[", ")" if open_high else "]"
        raise InputError(f"{name} must be a number in {left}{low:g}, {high:g}{right}; got {brief(value)}.")


@dataclass(frozen=True)
class Periodic:
    """Each column of numbers becomes several features: the number itself, and mixtures of waves over it.

    Of a number x: x, and W cos(2π (f x + p)) + s, with frequencies f, phases p (in turns), mixtures W and shifts s of
    the column's own, all of them learned. Source: Holzmüller et al., NeurIPS 2024 (PBLD); Gorishniy et al., NeurIPS
    2022.

    Args:
        frequencies: waves of a column.
        mixtures: features that are made of them.
        spread: standard deviation of the first frequencies, in turns for each unit of the encoded number.
    """

    frequencies: int = 16
    mixtures: int = 3
    spread: float = 0.1

    def __post_init__(self) -> None:
        _whole("Periodic frequencies", self.frequencies, 1, 1024)
        _whole("Periodic mixtures", self.mixtures, 1, 1024)
        if type(self.spread) is int:
            object.__setattr__(self, "spread", float(self.spread))
        _number("Periodic spread", self.spread, 0, 1e6, open_low=True)


@dataclass(frozen=True)
class PiecewiseLinear:
    """Each column of numbers becomes several features: the number itself, and piecewise linear functions of it.

    Of a number x: x, and W c(x) + s. Component b of c(x) rises from 0 at the edge e_b to 1 at e_(b+1), and is 0 on the
    left of these and 1 on the right; where the two are the same it is 0. Mixtures W and shifts s of each column are
    learned, and 0 at first; its edges are values that it has in the training rows, and stay. Source: Gorishniy et al.,
    NeurIPS 2022; as in Gorishniy et al., ICLR 2025 (TabM).

    Args:
        bins: of a column, between its edges e_0 <= ... <= e_bins. A column of fewer values repeats the last one.
        mixtures: features that are made of them.
    """

    bins: int = 48
    mixtures: int = 8

    def __post_init__(self) -> None:
        _whole("PiecewiseLinear bins", self.bins, 1, 1024)
        _whole("PiecewiseLinear mixtures", self.mixtures, 1, 1024)


@dataclass(frozen=True)
class Embedding:
    """Each category of many values becomes a vector, which is learned for each of its values.

    Args:
        outputs: length of the vectors.
    """

    outputs: int = 8

    def __post_init__(self) -> None:
        _whole("Embedding outputs", self.outputs, 1, 1024)


@dataclass(frozen=True)
class Scaling:
    """Each input is multiplied by a number of its own, 1 at first: a learned, soft choice of features.

    Source: Holzmüller et al., NeurIPS 2024.
    """


@dataclass(frozen=True)
class Convolution:
    """A convolution without a bias, of `size` by `size` pixels, every `stride`-th of them; then a batch norm."""

    outputs: int
    inputs: int
    size: int
    stride: int


@dataclass(frozen=True)
class Residual:
    """A small residual network over pictures, which ends in the mean of each channel over the picture.

    A stem, relu(norm(conv x)), cuts the picture into patches; then come stages of blocks
    relu(norm(conv(relu(norm(conv x)))) + x), each stage but the first with half the height and width; where a block
    changes the shape, x passes a convolution of 1 by 1 and a norm. In a training step a norm takes mean and variance of
    each channel from the batch, and moves its running ones a tenth of the way to them (to the variance times n / (n -
    1)); a prediction takes the running ones. Source: He et al., CVPR 2016; Ioffe & Szegedy, ICML 2015.

    Args:
        widths: channels of each stage.
        blocks: of a stage.
        patch: the stem makes one position of so many pixels by as many.
    """

    widths: tuple[int, ...] = (32, 64, 128)
    blocks: int = 1
    patch: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.widths, (tuple, list)):
            raise InputError(f"Residual widths must be whole numbers, one a stage; got {brief(self.widths)}.")
        object.__setattr__(self, "widths", tuple(self.widths))
        _whole("the stages of Residual", len(self.widths), 1, 8)
        for width in self.widths:
            _whole("a width of Residual", width, 1, 4096)
        _whole("Residual blocks", self.blocks, 1, 64)
        _whole("Residual patch", self.patch, 1, 64)

    def stem(self, channels: int) -> Convolution:
        return Convolution(self.widths[0], channels, self.patch + 2, self.patch)

    def stages(self) -> Iterator[tuple[Convolution, Convolution, Convolution | None]]:
        """Of each block its two convolutions, and that of its shortcut where it changes the shape."""
        before = self.widths[0]
        for stage, width in enumerate(self.widths):
            for block in range(self.blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                changes = stride > 1 or width != before
                shortcut = Convolution(width, before, 1, stride) if changes else None
                yield Convolution(width, before, 3, stride), Convolution(width, width, 3, 1), shortcut
                before = width

    def convolutions(self, channels: int) -> list[Convolution]:
        """All of them in the order of their arrays: the stem, and of each block the first, the second, the shortcut."""
        return [self.stem(channels), *(one for block in self.stages() for one in block if one is not None)]


@dataclass(frozen=True)
class Dense:
    """A fully connected layer with a bias: activation(W x + b).

    Args:
        units: how many outputs it has.
        activation: relu, tanh, gelu, silu, selu, sigmoid, parametric_selu or linear ("identity" is another word for
            linear). parametric_selu is z + a (selu(z) - z), with an a of each unit that is learned, 1 at first. In the
            last layer of a network: linear lets the target decide the head; softmax and sigmoid force it, and the
            network still ends in linear logits.
    """

    units: int
    activation: str = "linear"

    def __post_init__(self) -> None:
        _whole("Dense units", self.units, 1, MAX_UNITS)
        if self.activation == "identity":
            object.__setattr__(self, "activation", "linear")
        one_of("Dense activation", self.activation, tuple(dict.fromkeys(HIDDEN_ACTIVATIONS + OUTPUT_ACTIVATIONS)))


Layer = Periodic | PiecewiseLinear | Embedding | Scaling | Residual | Dense


@dataclass(frozen=True)
class Columns:
    """Which features of a row are what; the others go to the first dense layer as they are.

    Attributes:
        numbers: features that are numbers, each of a column: what `Periodic` or `PiecewiseLinear` embeds.
        categories: (feature, values) of those that hold a category's code, a whole number from 0 on below `values`, or
            -1 for a value without a vector: what `Embedding` embeds.
    """

    numbers: tuple[int, ...] = ()
    categories: tuple[tuple[int, int], ...] = ()

    def check(self, n_features: int) -> None:
        """Raise InputError unless these are different features of so many."""
        named = [*self.numbers, *(feature for feature, _ in self.categories)]
        for feature in named:
            _whole("a feature of columns", feature, 0, n_features - 1)
        for _, values in self.categories:
            _whole("the values of a category", values, 1, MAX_UNITS)
        if len(set(named)) < len(named):
            raise InputError("columns names a feature twice.")

    def to_json(self) -> dict[str, Any]:
        return {"numbers": list(self.numbers), "categories": [list(one) for one in self.categories]}

    @classmethod
    def from_json(cls, value: object) -> Columns:
        """The inverse of `to_json`; raises InputError on anything else."""
        fields = json_object("columns", value, {"numbers", "categories"})
        numbers, categories = fields["numbers"], fields["categories"]
        if not isinstance(numbers, list) or not isinstance(categories, list):
            raise InputError("columns must have the lists numbers and categories.")
        if not all(isinstance(one, list) and len(one) == 2 for one in categories):
            raise InputError("columns: each of the categories must be a list of its feature and its number of values.")
        return cls(tuple(numbers), tuple((one[0], one[1]) for one in categories))


@dataclass(frozen=True)
class Network:
    """Layers, first to last; the last one gives the logits.

    Args:
        layers: `Periodic` or `PiecewiseLinear`, `Embedding` and `Scaling`, in this order, each of them or not, or
            `Residual` alone, and then the `Dense` layers, the last of which has one unit per class or label.
        n_features: width of the input, or None while it is not known (`Classifier.fit` finds it in the data).
        columns: what the features are; needed where there is a layer that embeds them.
        picture_shape: (h, w) or (h, w, channels) of a row; needed where there is a `Residual`.

    `print(network)` lists layers, shapes and parameters:

        >>> print(Network([Dense(25, "relu"), Dense(15, "relu"), Dense(10, "linear")], n_features=784))
        layer     shape     parameters
        25 relu   784 -> 25     19,625
        15 relu   25 -> 15         390
        10 linear 15 -> 10         160
        total                   20,175
    """

    layers: Sequence[Layer]
    n_features: int | None = None
    columns: Columns | None = None
    picture_shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.layers, Layer):
            raise InputError("Network takes a list of layers, as in Network([Dense(25, 'relu'), Dense(10)]).")
        layers = tuple(self.layers)
        object.__setattr__(self, "layers", layers)
        _whole("the number of layers", len(layers), 1, MAX_LAYERS)
        for position, layer in enumerate(layers, 1):
            self._check(position, layer)
        if self.n_features is not None:
            _whole("n_features", self.n_features, 1, MAX_UNITS)
            if self.columns is None and (self.of_numbers or self.embedding):
                raise InputError(
                    "a Network with Periodic, PiecewiseLinear or Embedding and n_features needs columns: what they"
                    " embed."
                )
            if self.columns is not None:
                self.columns.check(self.n_features)
            if self.residual is not None:
                self._check_picture(self.residual, self.n_features)
            if self.n_parameters > MAX_PARAMETERS:
                gib = self.n_parameters * 4 / 2**30
                raise InputError(
                    f"the network has {self.n_parameters:,} parameters ({gib:,.0f} GiB);"
                    f" the limit is {MAX_PARAMETERS:,}."
                )

    def _check_picture(self, residual: Residual, n_features: int) -> None:
        """Raise InputError unless a row is a picture that has a patch at least."""
        shape = self.picture_shape
        if not isinstance(shape, (tuple, list)) or len(shape) not in (2, 3):
            raise InputError(
                "a Network with Residual takes pictures: each row must be one, of shape (h, w) or (h, w, channels)."
            )
        object.__setattr__(self, "picture_shape", tuple(shape))
        for size in shape:
            _whole("a size of picture_shape", size, 1, MAX_UNITS)
        if math.prod(shape) != n_features:
            raise InputError(f"pictures of shape {tuple(shape)} have {math.prod(shape)} values, not {n_features}.")
        if min(shape[:2]) < residual.patch:
            raise InputError(
                f"Residual patch must be {min(shape[:2])} at most, a side of the picture; got {residual.patch}."
            )

    def _check(self, position: int, layer: object) -> None:
        """Raise InputError unless this layer may stand here."""
        if not isinstance(layer, Layer):
            raise InputError(f"layer {position} of the network must be a Dense layer; got {layer!r}.")
        before = self.layers[position - 2] if position > 1 else None
        is_last = position == len(self.layers)
        if not isinstance(layer, Dense):
            is_mixed = isinstance(before, Residual) or (isinstance(layer, Residual) and before is not None)
            if is_last or is_mixed or (before is not None and _place(before) >= _place(layer)):
                names = ", ".join(" or ".join(one.__name__ for one in kinds) for kinds in FRONT)
                raise InputError(
                    f"layer {position} is {type(layer).__name__}: {names} stand in this order, each at most once,"
                    " or Residual alone, in front of the Dense layers, of which there is one at least."
                )
            return
        allowed = OUTPUT_ACTIVATIONS if is_last else HIDDEN_ACTIVATIONS
        if layer.activation not in allowed:
            where = "the last layer" if is_last else f"layer {position}, a hidden layer,"
            raise InputError(
                f"{where} must have one of the activations {', '.join(allowed)}; got {brief(layer.activation)}."
                + (" The network ends in linear logits: add a last layer Dense(classes)." if is_last else "")
            )

    @property
    def dense(self) -> tuple[Dense, ...]:
        """The dense layers."""
        return tuple(layer for layer in self.layers if isinstance(layer, Dense))

    @property
    def front(self) -> tuple[Periodic | PiecewiseLinear | Embedding | Scaling | Residual, ...]:
        """What stands before them."""
        return tuple(layer for layer in self.layers if not isinstance(layer, Dense))

    @cached_property
    def is_plain(self) -> bool:
        """Whether it has dense layers alone, and these weights and biases alone."""
        return not self.front and all(layer.activation != "parametric_selu" for layer in self.dense)

    @property
    def of_numbers(self) -> Periodic | PiecewiseLinear | None:
        """The layer that embeds columns of numbers."""
        return next((layer for layer in self.layers if isinstance(layer, (Periodic, PiecewiseLinear))), None)

    @property
    def embedding(self) -> Embedding | None:
        return next((layer for layer in self.layers if isinstance(layer, Embedding)), None)

    @property
    def residual(self) -> Residual | None:
        return next((layer for layer in self.layers if isinstance(layer, Residual)), None)

    @property
    def channels(self) -> int:
        """Of the pictures."""
        assert self.picture_shape is not None
        return self.picture_shape[2] if len(self.picture_shape) == 3 else 1

    @property
    def has_scaling(self) -> bool:
        return any(isinstance(layer, Scaling) for layer in self.layers)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Features that it embeds."""
        return () if self.of_numbers is None or self.columns is None else self.columns.numbers

    @property
    def categories(self) -> tuple[tuple[int, int], ...]:
        """Features that `Embedding` embeds, and how many values they have."""
        return () if self.embedding is None or self.columns is None else self.columns.categories

    @property
    def n_inputs(self) -> int:
        """Of the first dense layer: the embedded numbers, the embedded categories, and then the other features."""
        if self.n_features is None:
            raise InputError("the network's input width is not known yet; fit it, or state n_features.")
        if self.residual is not None:
            return self.residual.widths[-1]
        n = self.n_features
        if self.of_numbers is not None:
            n += len(self.numbers) * self.of_numbers.mixtures
        if self.embedding is not None:
            n += len(self.categories) * (self.embedding.outputs - 1)
        return n

    @property
    def arrays(self) -> tuple[dict[str, tuple[int, ...]], ...]:
        """Of each layer its parameters, by name, and their shapes; needs n_features.

        Of k numbers, f frequencies or b bins and m mixtures, v values of all categories, e outputs, d inputs and h
        units:
        Periodic: frequencies (k, f), phases (k, f), mixtures (k, m, f), shifts (k, m).
        PiecewiseLinear: edges (k, b + 1), mixtures (k, m, b), shifts (k, m).
        Embedding: vectors (v, e), category after category.
        Scaling: factors (d,).
        Residual: of its i-th convolution, of o outputs, i inputs and size s, weights.i (o, i, s, s), and of the norm
        behind it scales.i, shifts.i, means.i and variances.i (o,), of which the last two are running and not learned.
        Dense: weights (h, d), biases (h,) and, of parametric_selu, slopes (h,).
        """
        width, arrays = self.n_inputs, []
        for layer in self.layers:
            shapes: dict[str, tuple[int, ...]]
            if isinstance(layer, Periodic):
                k, f, m = len(self.numbers), layer.frequencies, layer.mixtures
                shapes = {"frequencies": (k, f), "phases": (k, f), "mixtures": (k, m, f), "shifts": (k, m)}
            elif isinstance(layer, PiecewiseLinear):
                k, b, m = len(self.numbers), layer.bins, layer.mixtures
                shapes = {"edges": (k, b + 1), "mixtures": (k, m, b), "shifts": (k, m)}
            elif isinstance(layer, Embedding):
                shapes = {"vectors": (sum(values for _, values in self.categories), layer.outputs)}
            elif isinstance(layer, Scaling):
                shapes = {"factors": (width,)}
            elif isinstance(layer, Residual):
                shapes = {}
                for i, one in enumerate(layer.convolutions(self.channels)):
                    shapes[f"weights.{i}"] = (one.outputs, one.inputs, one.size, one.size)
                    shapes |= {f"{name}.{i}": (one.outputs,) for name in OF_NORM}
            else:
                shapes = {"weights": (layer.units, width), "biases": (layer.units,)}
                if layer.activation == "parametric_selu":
                    shapes["slopes"] = (layer.units,)
                width = layer.units
            arrays.append(shapes)
        return tuple(arrays)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(fan_out, fan_in) of each dense layer's weights; needs n_features."""
        widths = (self.n_inputs, *(layer.units for layer in self.dense))
        return tuple((units, fan_in) for fan_in, units in pairwise(widths))

    @property
    def n_parameters(self) -> int:
        return sum(math.prod(shape) for shapes in self.arrays for shape in shapes.values())

    @property
    def n_outputs(self) -> int:
        return self.dense[-1].units

    @property
    def stated_head(self) -> HeadName | None:
        """The head that the last activation forces, or None where the target decides."""
        last = self.dense[-1].activation
        return last if last in ("softmax", "sigmoid") else None  # type: ignore[return-value]

    def with_input(
        self, n_features: int, columns: Columns | None = None, picture_shape: tuple[int, ...] | None = None
    ) -> Network:
        """The same network, its input known and its last activation linear: what an engine trains."""
        last = dataclasses.replace(self.dense[-1], activation="linear")
        columns = columns if self.of_numbers or self.embedding else None
        return Network((*self.layers[:-1], last), n_features, columns, picture_shape if self.residual else None)

    def __str__(self) -> str:
        names = [describe_layer(layer) for layer in self.layers]
        if self.n_features is None:
            return "Network(" + " -> ".join(["input", *names]) + ")"
        counts = [sum(math.prod(shape) for shape in shapes.values()) for shapes in self.arrays]
        rows = [
            ("layer", "shape", "parameters"),
            *zip(names, self._widths(), (f"{count:,}" for count in counts), strict=True),
            ("total", "", f"{self.n_parameters:,}"),
        ]
        wide = [max(len(row[k]) for row in rows) for k in range(3)]
        return "\n".join(f"{a:<{wide[0]}} {b:<{wide[1]}} {c:>{wide[2]}}" for a, b, c in rows)

    def _widths(self) -> list[str]:
        """Of each layer, how wide a row is before and after it."""
        assert self.n_features is not None
        widths = [self.n_features]
        for layer in self.layers:
            after = widths[-1]
            if isinstance(layer, (Periodic, PiecewiseLinear)):
                after += len(self.numbers) * layer.mixtures
            elif isinstance(layer, Embedding):
                after += len(self.categories) * (layer.outputs - 1)
            elif isinstance(layer, Dense):
                after = layer.units
            elif isinstance(layer, Residual):
                after = layer.widths[-1]
            widths.append(after)
        return [f"{before} -> {after}" for before, after in pairwise(widths)]

    def to_json(self) -> dict[str, Any]:
        layers = [{"kind": KIND_OF[type(layer)], **dataclasses.asdict(layer)} for layer in self.layers]
        columns = {} if self.columns is None else {"columns": self.columns.to_json()}
        pictures = {} if self.picture_shape is None else {"picture_shape": list(self.picture_shape)}
        for layer in layers:
            if "widths" in layer:
                layer["widths"] = list(layer["widths"])
        return {"n_features": self.n_features, **columns, **pictures, "layers": layers}

    @classmethod
    def from_json(cls, value: object) -> Network:
        """The inverse of `to_json`; raises InputError on anything else."""
        fields = json_object("network", value, {"n_features", "layers"}, {"columns", "picture_shape"})
        layers = fields["layers"]
        if not isinstance(layers, list) or len(layers) > MAX_LAYERS:
            raise InputError(f"network layers must be a list of at most {MAX_LAYERS}.")
        read = []
        for layer in layers:
            kind = layer.get("kind") if isinstance(layer, dict) else None
            one_of("layer kind", kind, tuple(KIND_OF.values()))
            of_kind = next(one for one, name in KIND_OF.items() if name == kind)
            names = {field.name for field in dataclasses.fields(of_kind)}
            given = json_object("layer", layer, {"kind", *names})
            read.append(of_kind(**{name: given[name] for name in names}))
        columns = Columns.from_json(fields["columns"]) if "columns" in fields else None
        network = cls(tuple(read), fields["n_features"], columns, fields.get("picture_shape"))
        if "picture_shape" in fields and network.residual is None:
            raise InputError("network: picture_shape is for a network with a layer over pictures.")
        return network


NORM_EPSILON, NORM_MOMENTUM = 1e-5, 0.1
OF_NORM = ("scales", "shifts", "means", "variances")
"""Arrays of a batch norm."""
FRONT = ((Periodic, PiecewiseLinear), (Embedding,), (Scaling,))
KIND_OF: dict[Any, str] = {
    Periodic: "periodic", PiecewiseLinear: "piecewise", Embedding: "embedding", Scaling: "scaling",
    Residual: "residual", Dense: "dense",
}  # fmt: skip


def _place(layer: Layer) -> int:
    """Of a layer in the order of a network's layers."""
    return next((place for place, kinds in enumerate(FRONT) if isinstance(layer, kinds)), len(FRONT))


def describe_layer(layer: Layer) -> str:
    """As `parse_layers` reads it: "25 relu", "periodic 16 3 0.1", "piecewise 48 8", "embedding 8", "scaling",
    "residual 32-64-128 1 1".
    """
    if isinstance(layer, Dense):
        return f"{layer.units} {layer.activation}"
    if isinstance(layer, Periodic):
        return f"periodic {layer.frequencies} {layer.mixtures} {layer.spread:g}"
    if isinstance(layer, PiecewiseLinear):
        return f"piecewise {layer.bins} {layer.mixtures}"
    if isinstance(layer, Residual):
        return f"residual {'-'.join(map(str, layer.widths))} {layer.blocks} {layer.patch}"
    return f"embedding {layer.outputs}" if isinstance(layer, Embedding) else "scaling"


@dataclass(frozen=True)
class Members:
    """How many networks make up one classifier; they all have the same layers.

    A network's number is `round · labels + label`: the first round has one network for each label (or one for all),
    the next round of an ensemble follows.

    Args:
        ensemble: so many networks answer the same question, each from a seed of its own.
        separate_networks: one network with one unit for each label, instead of one with a unit for each.
    """

    ensemble: int = 1
    separate_networks: bool = False

    def __post_init__(self) -> None:
        _whole("ensemble", self.ensemble, 1, MAX_NETWORKS)
        if not isinstance(self.separate_networks, bool):
            raise InputError(f"separate_networks must be True or False; got {brief(self.separate_networks)}.")

    def a_round(self, n_labels: int) -> int:
        """Networks of one round."""
        return n_labels if self.separate_networks else 1

    def count(self, n_labels: int) -> int:
        """Networks in all."""
        return self.ensemble * self.a_round(n_labels)

    def check_size(self, network: Network, n_labels: int) -> None:
        """Raise InputError unless so many networks have a size that is trained and read."""
        count = self.count(n_labels)
        for what, found, limit in (
            ("networks", count, MAX_NETWORKS),
            ("layers in all", count * len(network.layers), MAX_LAYERS_IN_ALL),
            ("parameters in all", count * network.n_parameters, MAX_PARAMETERS),
        ):
            if found > limit:
                raise InputError(
                    f"one classifier has at most {limit:,} {what}; {count:,} networks ({self.ensemble:,} for each of"
                    f" {self.a_round(n_labels):,} questions) would make {found:,}."
                )

    def describe(self, network: Network, n_labels: int) -> str:
        """ "6 networks 294-100-1, one per label"; of one network "1 network 294-100-6"; over pictures
        "1 network 3072-residual(32-64-128)-6".
        """
        count = self.count(n_labels)
        over = [] if network.residual is None else [f"residual({'-'.join(map(str, network.residual.widths))})"]
        widths = "-".join(map(str, (network.n_features, *over, *(layer.units for layer in network.dense))))
        words = f"{count:,} network{'s' * (count > 1)} {widths}"
        if self.separate_networks:
            words += ", one per label" if self.ensemble == 1 else f", {self.ensemble:,} per label"
        elif self.ensemble > 1:
            words += ", an ensemble"
        return words

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: object) -> Members:
        """The inverse of `to_json`; raises InputError on anything else."""
        return cls(**json_object("members", value, {field.name for field in dataclasses.fields(cls)}))


def parse_layers(text: str, activation: str = "relu") -> Network | tuple[int, ...]:
    """Read `--layers`: "25,15" gives hidden layer sizes, "25 relu, 15 tanh, 10 linear" a whole network.

    In front of the dense layers of a whole network may stand "periodic" (or "periodic FREQUENCIES MIXTURES SPREAD") or
    "piecewise" (or "piecewise BINS MIXTURES"), "embedding" (or "embedding OUTPUTS") and "scaling"; or "residual" (or
    "residual WIDTH-WIDTH-... BLOCKS PATCH").
    """
    parts = [part.strip() for part in text.split(",")]
    if parts == [""]:
        return ()
    if all(re.fullmatch(r"[0-9]{1,9}", part) for part in parts):
        return tuple(int(part) for part in parts)
    layers: list[Layer] = []
    for part in parts:
        front = re.fullmatch(r"(periodic|piecewise|embedding|scaling|residual)((?:\s+[0-9.-]{1,50})*)", part)
        dense = re.fullmatch(r"([0-9]{1,9})\s+([A-Za-z_]+)", part)
        if dense:
            layers.append(Dense(int(dense[1]), dense[2]))
        elif front and (layer := _front_layer(front[1], front[2].split())) is not None:
            layers.append(layer)
        else:
            raise InputError(
                'layers must be hidden units as in "25,15", or a whole network as in "25 relu, 15 relu, 10 linear";'
                f" got {text!r}."
            )
    return Network(tuple(layers))


READ: dict[str, Callable[[str], Any]] = {
    "float": float,
    "int": int,
    "tuple[int, ...]": lambda word: tuple(int(one) for one in word.split("-")),
}


def _front_layer(kind: str, words: Sequence[str]) -> Layer | None:
    """The layer of this kind with these numbers, or None where they are not its own."""
    of_kind = next(one for one, name in KIND_OF.items() if name == kind)
    fields = dataclasses.fields(of_kind)
    if len(words) > len(fields):
        return None
    try:
        values = [READ[str(field.type)](word) for field, word in zip(fields, words, strict=False)]
    except ValueError:
        return None
    layer: Layer = of_kind(*values)
    return layer


@dataclass(frozen=True)
class Plan:
    """How a network is trained. Every field is a keyword of `Classifier` or a finer one reached through `spec=`.

    Args:
        optimizer: adam, adamw, sgd (with momentum) or nesterov (sgd with Nesterov's momentum).
        learning_rate: step size at the start of the schedule.
        schedule: of the learning rate over all steps of max_epochs, t from 0 to 1. constant; cosine: half a wave from
            learning_rate to 0; coslog4: four waves, each about twice as long as the one before,
            (1 - cos(2π log2(1 + 15 t))) / 2; flat_cosine: all of it to the middle, then half a wave to 0.
        bias_rate, slope_rate, scaling_rate, embedding_rate: what biases, the slopes a of parametric_selu, `Scaling`
            and the layers `Periodic`, `PiecewiseLinear` and `Embedding` learn at, times the learning rate.
        rate_by_width: the weights of a dense layer of d inputs learn at the learning rate over √d: what learning in the
            neural-tangent parametrisation comes to with adam, for which the size of gradients is no matter.
        momentum: of sgd and nesterov.
        beta1, beta2, epsilon: of adam and adamw.
        weight_decay: with adam, sgd and nesterov it adds weight_decay/2 · ‖W‖² to the mean loss; with adamw it is
            decoupled (W shrinks by learning_rate · weight_decay a step). Only the weights of dense layers decay, and
            with scaling_decay the factors of `Scaling`.
        scaling_decay: what the weight_decay of `Scaling` is times.
        decay_schedule, dropout_schedule: constant or flat_cosine, of weight_decay and dropout.
        clip_norm: the gradient is scaled down to this Euclidean norm, or None.
        dropout: share of each hidden layer's units set to 0 in a training step (in steps of 1/65536).
        label_smoothing: share of each target that is spread over all classes, or towards a half for a label.
        initialisation: uniform: by the shapes alone; data: so that what each unit computes of the training rows has the
            variance 1, and its bias lies among these (Holzmüller et al., NeurIPS 2024, "he+5").
        numbers: standard: (x - mean) / standard deviation; robust: (x - median) / interquartile range, and then
            smoothly clipped to ±3.
        shift, zoom, flip, colour, cut_out: how pictures are changed before each training step, at random; for networks
            with `Residual`. Moved by up to this share of their sides, the edge repeated; made larger or smaller by up
            to this share; mirrored left to right, every other one; contrast, brightness and the brightness of each
            channel changed by up to this share of the pixels' standard deviation; a part with this share of each side
            set to the mean.
        precision: float32; or bfloat16 for the convolutions of training steps, whose sums, norms and predictions stay
            float32: of the torch engine.
        averaging: 0: each epoch is what its last step left. a: its parameters are averaged with those before,
            exponentially over about this share of all `max_epochs` (the first ones all count alike), running means and
            variances too; that is judged and kept, and the steps go on from its own.
        batch_size: rows a step; the last batch of an epoch may be smaller.
        max_epochs: passes over the training rows.
        early_stopping: hold out rows, keep the best epoch, stop after `patience` epochs without a better one.
        patience: epochs.
        validation_fraction: share of the rows held out.
        folds: 1: rows are held out once, for all networks. k from 2 on: the rows are shared out among k folds; the
            i-th network of an ensemble is trained on all of them but the (i mod k)-th, which judges it, and every k
            networks the folds are dealt anew.
        metric: what the held-out rows are judged by.
        calibrate: fit the calibration on the held-out rows.
    """

    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "constant"
    momentum: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float | None = None
    dropout: float = 0.0
    bias_rate: float = 1.0
    slope_rate: float = 1.0
    scaling_rate: float = 1.0
    embedding_rate: float = 1.0
    rate_by_width: bool = False
    scaling_decay: float = 0.0
    decay_schedule: str = "constant"
    dropout_schedule: str = "constant"
    label_smoothing: float = 0.0
    initialisation: str = "uniform"
    numbers: str = "standard"
    shift: float = 0.0
    zoom: float = 0.0
    flip: bool = False
    colour: float = 0.0
    cut_out: float = 0.0
    precision: str = "float32"
    averaging: float = 0.0
    batch_size: int = 32
    max_epochs: int = 100
    early_stopping: bool = True
    patience: int = 10
    validation_fraction: float = 0.1
    folds: int = 1
    metric: str = "log_loss"
    calibrate: bool = True

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # NumPy scalars are welcome, and stored as what JSON knows
            value = getattr(self, field.name)
            if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
                object.__setattr__(self, field.name, value.item())
            elif field.type in ("float", "float | None") and type(value) is int:
                object.__setattr__(self, field.name, float(value))
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        one_of("schedule", self.schedule, SCHEDULES)
        _number("learning_rate", self.learning_rate, 0, 1e6, open_low=True)
        _number("momentum", self.momentum, 0, 0.999999)
        _number("beta1", self.beta1, 0, 0.999999)
        _number("beta2", self.beta2, 0, 0.999999)  # float32 holds it apart from 1
        _number("epsilon", self.epsilon, 1e-30, 1)
        _number("weight_decay", self.weight_decay, 0, 1e6)
        if self.clip_norm is not None:
            _number("clip_norm", self.clip_norm, 0, 1e30, open_low=True)
        _number("dropout", self.dropout, 0, 0.99)
        for name in ("bias_rate", "slope_rate", "scaling_rate", "embedding_rate", "scaling_decay"):
            _number(name, getattr(self, name), 0, 1e6)
        one_of("decay_schedule", self.decay_schedule, FADES)
        one_of("dropout_schedule", self.dropout_schedule, FADES)
        _number("label_smoothing", self.label_smoothing, 0, 1, open_high=True)
        one_of("initialisation", self.initialisation, INITIALISATIONS)
        one_of("numbers", self.numbers, NUMBER_SCALES)
        for name in ("shift", "zoom", "colour", "cut_out"):
            _number(name, getattr(self, name), 0, 1)
        one_of("precision", self.precision, PRECISIONS)
        _number("averaging", self.averaging, 0, 1)
        _whole("batch_size", self.batch_size, 1, 2**31 - 1)
        _whole("max_epochs", self.max_epochs, 1, 10**9)
        _whole("patience", self.patience, 1, 10**9)
        _number("validation_fraction", self.validation_fraction, 0, 1, open_low=True, open_high=True)
        _whole("folds", self.folds, 1, MAX_NETWORKS)
        for name in ("early_stopping", "calibrate", "rate_by_width", "flip"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name} must be True or False; got {brief(getattr(self, name))}.")
        if not isinstance(self.metric, str):
            raise InputError(f"metric must be a word such as 'log_loss'; got {brief(self.metric)}.")

    @property
    def changes_pictures(self) -> bool:
        return self.flip or max(self.shift, self.zoom, self.colour, self.cut_out) > 0

    def replace(self, changes: Mapping[str, Any]) -> Plan:
        """The plan with some fields changed; an unknown name is refused with the nearest known one."""
        known = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                raise InputError(
                    f"no training setting is called {name!r}.{nearest(str(name), known)} Known: {', '.join(known)}."
                )
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: object) -> Plan:
        """The inverse of `to_json`; raises InputError on anything else. Files of early versions lack `LATER_FIELDS`."""
        names = {field.name for field in dataclasses.fields(cls)}
        return cls(**json_object("plan", value, names - LATER_FIELDS, LATER_FIELDS))


LATER_FIELDS = {
    "bias_rate", "slope_rate", "scaling_rate", "embedding_rate", "rate_by_width", "scaling_decay", "decay_schedule",
    "dropout_schedule", "label_smoothing", "initialisation", "numbers", "folds", "shift", "zoom", "flip",
    "colour", "cut_out", "precision", "averaging",
}  # fmt: skip


def json_object(name: str, value: object, keys: set[str], optional: Set[str] = frozenset()) -> dict[str, Any]:
    """`value` if it is a JSON object with exactly these keys, and any of the optional ones; InputError otherwise."""
    if not isinstance(value, dict):
        raise InputError(f"{name} must be a JSON object.")
    if not keys <= set(value) <= keys | optional:
        missing, unknown = sorted(keys - set(value)), sorted(map(str, set(value) - keys - optional))
        raise InputError(f"{name}: missing keys {missing[:5]}, unknown keys {brief(unknown[:5])}.")
    return value
