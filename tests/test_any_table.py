"""Tables and targets of every kind, drawn by hypothesis: each is learned from, or refused in one line.

`python -m tests.test_any_table 3000` draws as many, other ones each time.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import random
import sys
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fromlogits as fl
from fromlogits.cli.main import run
from fromlogits.errors import InputError
from fromlogits.spec import Dense, Embedding, Layer, Network, Periodic, PiecewiseLinear, Scaling

LONGEST = 700
"""Characters of a message: some five names or values, each of which may be a text of a hundred, and what to do."""
ZONE = datetime.timezone(datetime.timedelta(hours=5, minutes=45))
NAMES = [
    "x", "y", "a b", " a", "a", "", " ", "0", "1", "target", "probability:x", "pixel_0_0", "pixel_0_1", "naïve", "数",
    "two\nlines", "tab\t", 'a"b', "a,b", "a'b", "\x00", "\u2028", "long " * 20, "__index_level_0__", "nan",
]  # fmt: skip
WORDS = [
    "red", "green", "blue", "", " ", "nan", "NA", "yes", "no", "01", "1", "1.0", "1e5", "2024-01-31", "14:30", "é",
    "two words", "a much longer sentence of quite a few words", "w" * 300, "two\nlines", "\x00", "-inf",
]  # fmt: skip
FLOATS = st.one_of(
    st.floats(-1e3, 1e3), st.floats(), st.sampled_from([0.0, -0.0, 1.0, 2.0, 5e-324, 1e300, -1e300, 1e-300, 0.1])
)
DAYS = st.dates(datetime.date(1, 1, 1), datetime.date(9999, 12, 31))
MOMENTS = st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1))
SPANS = st.timedeltas(datetime.timedelta(days=-1000), datetime.timedelta(days=1000))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int": st.one_of(st.integers(-5, 5), st.integers(-(2**63), 2**63 - 1)),
    "float": FLOATS,
    "bool": st.booleans(),
    "word": st.one_of(st.sampled_from(WORDS), st.text(max_size=6)),
    "date": DAYS,
    "moment": MOMENTS,
    "zoned moment": MOMENTS.map(lambda moment: moment.replace(tzinfo=ZONE)),
    "time": st.times(),
    "span": SPANS,
    "decimal": st.decimals(-1000, 1000, places=2),
    "bytes": st.binary(max_size=3),
    "list": st.lists(st.integers(0, 3), max_size=2),
    "nothing": st.none(),
}
VALUES["mixed"] = st.one_of(VALUES["int"], VALUES["float"], VALUES["bool"], VALUES["word"], DAYS, MOMENTS)
TYPES: dict[str, list[tuple[str, Any]]] = {
    "pandas": [
        ("int", None), ("int", "Int64"), ("int", "int64"), ("float", None), ("float", "Float64"), ("float", "float32"),
        ("bool", None), ("bool", "boolean"), ("bool", object), ("word", None), ("word", "string"), ("word", object),
        ("word", "category"), ("int", "category"), ("moment", "category"), ("bool", "category"), ("date", None),
        ("moment", None), ("moment", "datetime64[ns]"), ("zoned moment", None), ("time", None), ("span", None),
        ("decimal", None), ("bytes", None), ("list", None), ("nothing", None), ("mixed", object), ("int", object),
        ("word", "string[pyarrow]"), ("int", "int64[pyarrow]"), ("moment", "period[D]"), ("float", "Sparse[float]"),
    ],
    "polars": [
        ("int", None), ("int", pl.Float32), ("float", None), ("float", pl.Float32), ("bool", None), ("word", None),
        ("word", pl.Categorical), ("date", None), ("moment", None), ("moment", pl.Datetime("ns")), ("span", None),
        ("zoned moment", pl.Datetime("us", "UTC")), ("time", None), ("decimal", None), ("bytes", None), ("list", None),
        ("nothing", None), ("mixed", pl.Object), ("int", pl.Int8),
    ],
}  # fmt: skip

FRONTS: list[tuple[Layer, ...]] = [
    (), (), (Scaling(),), (Periodic(2, 1),), (Embedding(2),), (Periodic(2, 1), Embedding(2), Scaling()),
    (PiecewiseLinear(4, 1),),
]  # fmt: skip
"""What stands in front of the dense layers of a second network."""
HOPELESS = ("bytes", "list")
"""What no column may hold."""
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example]
RARELY = st.integers(0, 9).map(lambda number: number == 9)


@dataclass(frozen=True)
class Table:
    """A frame as it is made: each column's name, type, and the values it draws from."""

    library: str
    n: int
    columns: list[tuple[str, Any, list[Any]]]

    def frame(self) -> Any:
        """None where the library itself does not take the values as of that type."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if self.library == "pandas":
                    series = [pd.Series(values, dtype=dtype) for _, dtype, values in self.columns]
                    frame = pd.concat(series, axis=1) if series else pd.DataFrame(index=range(self.n))
                    frame.columns = pd.Index([name for name, _, _ in self.columns], dtype=object)
                    return frame
                return pl.DataFrame(
                    [pl.Series(name, values, dtype, strict=False) for name, dtype, values in self.columns]
                )
        except Exception:
            return None


@st.composite
def columns(draw: st.DrawFn, library: str, n: int, types: Any = None) -> tuple[Any, list[Any]]:
    """A type and n values: a few different ones in any order, or each drawn anew; some missing."""
    types = types or [one for one in TYPES[library] if one[0] not in HOPELESS or draw(RARELY)]
    kind, dtype = draw(st.sampled_from(types))
    pool = draw(st.lists(VALUES[kind], min_size=1, max_size=8))
    chance, gaps = random.Random(draw(st.integers(0, 2**32))), draw(st.sampled_from([0, 0, 0.2, 0.9]))
    values = [None if chance.random() < gaps else chance.choice(pool) for _ in range(n)]
    if draw(st.integers(0, 3)) == 0:  # in every row another
        different: dict[str, list[Any]] = {
            "int": list(range(n)), "float": [chance.gauss(0, 1) for _ in range(n)],
            "word": [f"k{k}" for k in range(n)], "date": [datetime.date(2024, 1, 1 + k % 28) for k in range(n)],
        }  # fmt: skip
        values = different.get(kind, values)
    return dtype, values


@st.composite
def tables(draw: st.DrawFn, n: int, names: list[str] | None = None) -> Table:
    library = draw(st.sampled_from(["pandas", "polars"]))
    types = None if names is None else TYPES[library]
    names = names if names is not None else draw(awkward(library))
    return Table(library, n, [(name, *draw(columns(library, n, types))) for name in names])


@st.composite
def awkward(draw: st.DrawFn, library: str) -> list[str]:
    """Names of columns; pandas takes one twice."""
    name = st.one_of(st.sampled_from(NAMES), st.text(max_size=5))
    return draw(st.lists(name, min_size=1, max_size=5, unique=library == "polars" or not draw(RARELY)))


CLASSES: list[list[Any]] = [
    [0, 1], [True, False], ["a", "b", "c"], ["1", "2"], [3, 7, 8, 9], [0.0, 1.0], [1.0, 2.5, 3.0], ["yes", "no"],
    [1, "1"], ["a", "A", " a"],
]  # fmt: skip
SETTINGS: dict[str | None, list[dict[str, Any]]] = {
    None: [{}, {"early_stopping": False, "calibrate": False}, {"ensemble": 2}],
    "multi-class": [{}, {"class_weight": "balanced"}, {"metric": "accuracy"}],
    "multi-label": [{}, {"separate_networks": True}, {"pos_weight": "balanced"}, {"metric": "macro_f1"}],
}


@st.composite
def targets(draw: st.DrawFn, n: int) -> tuple[str, Any]:
    """What `fit` may be given as y, with a word that says what it is."""
    pool: list[Any]
    cells: list[Any]
    form = draw(st.sampled_from(["classes", "classes", "classes", "matrix", "matrix", "sets", "probabilities"]))
    chance = random.Random(draw(st.integers(0, 2**32)))
    k = draw(st.integers(1, 5))
    if form == "classes":
        kinds = st.sampled_from([VALUES[kind] for kind in ("int", "word", "bool", "float", "mixed", "date")])
        pool = draw(
            st.one_of(st.sampled_from(CLASSES), kinds.flatmap(lambda kind: st.lists(kind, min_size=1, max_size=5)))
        )
        if draw(RARELY):
            pool = [*pool, None]
        values = [chance.choice(pool) for _ in range(n)]
        make: Callable[[Any], Any] = draw(
            st.sampled_from(
                [list, np.array, lambda v: np.array(v, object), pd.Series, lambda v: pl.Series("y", v, strict=False),
                 lambda v: pd.Series(v, dtype="category"), lambda v: pd.Series(v, index=range(n, 2 * n)),
                 lambda v: pd.DataFrame({"y": v}), lambda v: np.array(v, object).reshape(-1, 1)]
            )
        )  # fmt: skip
        return form, _made(make, values)
    if form == "matrix":
        cells = [0, 1, 2] if draw(RARELY) else draw(st.sampled_from([[0, 1], [0, 0, 1], [False, True], [0, 1, np.nan]]))
        matrix = np.array([[chance.choice(cells) for _ in range(k)] for _ in range(n)])
        return form, draw(
            st.sampled_from(
                [lambda m: m, lambda m: m.tolist(), lambda m: pd.DataFrame(m, columns=[f"l{j}" for j in range(k)]),
                 lambda m: pl.DataFrame(m.tolist(), schema=[f"l{j}" for j in range(k)], orient="row")]
            )
        )(matrix)  # fmt: skip
    if form == "sets":
        pool = draw(st.sampled_from([["car", "bus", "tram"], [1, 2, 3], ["a|b", "c"], ["", "d"]]))
        sets: list[Any] = [chance.sample(pool, chance.randint(0, len(pool))) for _ in range(n)]
        if draw(st.booleans()):
            sets = [None if chance.random() < 0.2 else labels for labels in sets]
        return form, draw(
            st.sampled_from(
                [lambda s: s, lambda s: [None if one is None else set(one) for one in s], pd.Series,
                 lambda s: [None if one is None else tuple(one) for one in s]]
            )
        )(sets)  # fmt: skip
    shares = np.array([[chance.random() for _ in range(k)] for _ in range(n)])
    return form, shares / shares.sum(axis=1, keepdims=True)


def _made(make: Callable[[Any], Any], values: list[Any]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make(values)
    except Exception:
        return values


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    n = draw(st.integers(1, 50))
    form, y = draw(targets(n))
    weighs = "below 0" if draw(RARELY) else draw(st.sampled_from(["no", "rows", "some rows", "labels"]))
    weight = np.random.default_rng(n).integers(1, 4, n).astype(float)
    if weighs == "some rows":
        weight[:: draw(st.integers(2, 4))] = 0
    if weighs == "below 0":
        weight[-1] = -1
    if weighs == "labels" and getattr(y, "ndim", 1) == 2:
        weight = np.random.default_rng(n).integers(0, 3, np.shape(y)).astype(float)
    task = {"classes": None, "sets": None, "matrix": "multi-label"}.get(form, "multi-class")
    if draw(RARELY):
        task = draw(st.sampled_from([None, "multi-class", "multi-label"]))
    table = draw(tables(n))
    later = draw(
        st.one_of(
            st.none(), st.integers(1, 20).flatmap(lambda m: tables(m, [name for name, _, _ in table.columns][::-1]))
        )
    )
    return {
        "table": table,
        "y": y,
        "weight": None if weighs == "no" else weight,
        "task": task,
        "settings": draw(st.sampled_from(SETTINGS[draw(st.sampled_from(list(SETTINGS))) if draw(RARELY) else task])),
        "later": later,
        "front": draw(st.sampled_from(FRONTS)),
        "groups": draw(st.one_of(st.none(), st.none(), columns("pandas", n).map(lambda one: one[1]))),
        "times": draw(st.one_of(st.none(), st.none(), columns("pandas", n).map(lambda one: one[1]))),
        "other y": draw(targets(n))[1],
    }  # fmt: skip


@contextlib.contextmanager
def only_our_words() -> Iterator[None]:
    """What is warned of is ours, in one line: no library's warning about what we did with it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for one in caught:
        assert one.category in (UserWarning, *SKLEARNS), f"{one.category.__name__}: {one.message}"
        assert is_one_line(str(one.message)), str(one.message)


def _sklearns() -> tuple[type[Warning], ...]:
    from sklearn.exceptions import DataConversionWarning  # of a column vector y

    return (DataConversionWarning,)


SKLEARNS = _sklearns()


def is_one_line(message: str) -> bool:
    """Nothing in it moves the cursor of a terminal either."""
    message = message.removesuffix("\n")
    has_signs = any(unicodedata.category(sign) in ("Cc", "Zl", "Zp") for sign in message)
    return not has_signs and 0 < len(message) <= LONGEST


def rows_of(frame: Any, rows: list[int]) -> Any:
    return frame.iloc[rows] if isinstance(frame, pd.DataFrame) else frame[rows]


def refused(task: Callable[[], Any]) -> bool:
    """Whether it is refused, in one line; what else it raises is a defect."""
    try:
        task()
    except InputError as error:
        assert is_one_line(str(error)), str(error)
        return True
    return False


@pytest.fixture(scope="module")
def few_resamples() -> Iterator[None]:
    """Under the intervals of each evaluation, which take longer than all else that is done with a small table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fromlogits.metrics.intervals.MOST_RESAMPLES", 100)
        yield


@pytest.mark.usefixtures("few_resamples")
@given(cases())
@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=SLOW)
def test_any_table_is_learned_from_or_refused_in_one_line(case: dict[str, Any]) -> None:
    X = case["table"].frame()
    if X is None:
        return
    usual = {"max_epochs": 2, "batch_size": 16, "random_state": 0, "n_jobs": 1, "task": case["task"]}
    clf = fl.Classifier(hidden_layer_sizes=(3,), **usual, **case["settings"])
    with only_our_words():
        if not is_learned(clf, X, case) or not case["front"]:
            return
        network = Network([*case["front"], Dense(3, "parametric_selu"), Dense(clf._model.network.n_outputs)])
        is_learned(fl.Classifier(network=network, spec={"numbers": "robust"}, **usual, **case["settings"]), X, case)


def is_learned(clf: fl.Classifier, X: Any, case: dict[str, Any]) -> bool:
    """Whether it is not refused; what is learned then predicts alike alone, among others and from a file."""
    table, y = case["table"], case["y"]
    if refused(lambda: clf.fit(X, y, case["weight"], groups=case["groups"], times=case["times"])):
        return False
    expected = clf.predict_logits(X)
    assert np.isfinite(expected).all()
    assert len(clf.predict(X)) == table.n
    clf.evaluate(X, y)
    refused(lambda: clf.evaluate(X, case["other y"]))

    order = random.Random(table.n).sample(range(table.n), table.n)
    shuffled = rows_of(X, order)[list(X.columns[::-1])]
    assert clf.predict_logits(shuffled).tobytes() == expected[order].tobytes()
    for size in (1, 7):
        parts = [
            clf.predict_logits(rows_of(X, list(range(table.n))[start : start + size]))
            for start in range(0, table.n, size)
        ]
        assert np.concatenate(parts).tobytes() == expected.tobytes()

    with TemporaryDirectory() as folder:
        path = Path(folder) / "m.safetensors"
        clf.save(path)
        again = fl.load(path)
    assert again.predict_logits(X).tobytes() == expected.tobytes()
    np.testing.assert_array_equal(again.predict(X), clf.predict(X))

    if case["later"] is not None and (later := case["later"].frame()) is not None:
        refused(lambda: again.predict_logits(later))
    return True


@st.composite
def files(draw: st.DrawFn) -> tuple[Table, str, str]:
    """A table, its target column, and the ending of the file that holds it."""
    n = draw(st.integers(2, 50))
    names = draw(awkward("polars").filter(lambda names: len(names) > 1))
    chance = random.Random(draw(st.integers(0, 2**32)))
    same_kind: list[list[Any]] = [*CLASSES[:-2], CLASSES[-1]]
    pool: list[Any] = draw(st.one_of(st.sampled_from(same_kind), st.lists(VALUES["word"], min_size=2, max_size=5)))
    target: tuple[str, Any, list[Any]] = (names[0], None, [chance.choice(pool) for _ in range(n)])
    others = [(name, *draw(columns("polars", n))) for name in names[1:]]
    table = Table("polars", n, draw(st.permutations([target, *others])))
    return table, names[0], draw(st.sampled_from(["csv", "parquet", "jsonl", "arrow"]))


def written(frame: pl.DataFrame, name: str) -> bool:
    """Whether polars could write it: no CSV of lists, and no name with a NUL byte."""
    write: Any = {
        "csv": frame.write_csv, "parquet": frame.write_parquet, "jsonl": frame.write_ndjson, "arrow": frame.write_ipc,
    }[name.partition(".")[2]]  # fmt: skip
    try:
        write(name)
    except (Exception, pl.exceptions.PanicException):
        return False
    return True


def exit_code(*arguments: str) -> int:
    """Of the command, which says in one line what it refuses."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(list(arguments))
    assert code in (0, 2), err.getvalue()
    if code == 2:
        assert is_one_line(err.getvalue()), err.getvalue()
    return code


@pytest.mark.usefixtures("open_database")
@given(files())
@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=SLOW)
def test_any_file_is_trained_on_or_refused_in_one_line(case: tuple[Table, str, str]) -> None:
    table, target, ending = case
    frame = table.frame()
    if frame is None or target.startswith("-") or not {",", "*"}.isdisjoint(target):
        return
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        name, model = f"t.{ending}", "m.safetensors"
        if not written(frame, name):
            return
        if exit_code("train", name, "--target", target, "--epochs", "2", "--layers", "3", "-o", model, "--json"):
            return
        assert exit_code("predict", model, name, "-o", "p.csv") == 0
        assert exit_code("evaluate", model, name) == 0
        assert exit_code("inspect", model) == 0
        assert exit_code("inspect", model, name) == 0
        assert written(frame[frame.columns[::-1]], f"reversed.{ending}")
        assert exit_code("predict", model, f"reversed.{ending}", "-o", "again.csv") == 0
        assert Path("again.csv").read_bytes() == Path("p.csv").read_bytes()


def _draw_many(strategy: st.SearchStrategy[Any], test: Any, count: int) -> None:
    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=SLOW)
    @given(strategy)
    def drawn(case: Any) -> None:
        test.hypothesis.inner_test(case)

    drawn()


if __name__ == "__main__":
    _draw_many(cases(), test_any_table_is_learned_from_or_refused_in_one_line, int(sys.argv[1]))
    _draw_many(files(), test_any_file_is_trained_on_or_refused_in_one_line, int(sys.argv[1]))
