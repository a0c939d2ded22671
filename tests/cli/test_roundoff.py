"""`fromlogits roundoff`: its measurements against closed forms and exact arithmetic, its words, its picture."""

import json
import math
import sys
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import numpy as np
import pytest

import fromlogits as fl
from fromlogits import textbook
from fromlogits.cli import rounding, roundoff_plot
from fromlogits.cli.main import run

LN2 = math.log(2)
CLASSES = rounding.CLASSES
Output = pytest.CaptureFixture[str]
# matplotlib 3.9 calls functions of pyparsing by names that its newer versions deprecate.
draws = pytest.mark.filterwarnings("ignore::DeprecationWarning:matplotlib")


def exact_loss(lead: float, classes: int) -> Decimal:
    """log(1 + (c − 1)·exp(−lead)) to many digits."""
    with localcontext(prec=400):
        return (1 + (classes - 1) * (-Decimal(lead)).exp()).ln()


# --- the measurements ---


def test_the_two_ways_are_those_of_exact_arithmetic_rounded_step_by_step() -> None:
    # 10⁻⁴ added to 1 is 839 steps of 2⁻²³; taken from 1 it is 1678 steps of 2⁻²⁴, for 838.9 and 1677.7.
    narrow = rounding.two_ways(np.float32)
    assert Fraction(narrow.difference) == Fraction(839, 2**23) + Fraction(1678, 2**24)
    assert Fraction(narrow.quotient) == Fraction(float(np.float32(2e-4)))

    wide = rounding.two_ways(np.float64)
    up, down = round(Fraction(1, 10_000) * 2**52), round(Fraction(1, 10_000) * 2**53)
    assert Fraction(wide.difference) == Fraction(up, 2**52) + Fraction(down, 2**53)
    assert wide.quotient == 2e-4


@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
def test_the_truth_is_the_closed_form(classes: int) -> None:
    leads = np.array([-700.0, -100.0, -17.25, -1.0, -1e-9, 0.0, 1e-9, 0.5, 3.0, 17.25, 60.0, 104.0, 700.0])
    truth = rounding.true_loss(leads, classes)

    for lead, value in zip(leads, truth, strict=True):
        expected = exact_loss(float(lead), classes)
        # A few roundings of float64, a billionth of a float32's unit in the last place.
        assert abs(Decimal(float(value)) / expected - 1) < Decimal("2e-15")


@pytest.mark.parametrize("leads", [rounding.TABLE_LEADS, [-3.5, 0.125, 12.0, 31.0]])
def test_the_losses_from_logits_are_right_to_half_a_unit(leads: list[float]) -> None:
    for sweep in rounding.sweeps(leads):
        classes = 2 if sweep.name == "logistic" else CLASSES
        expected = [float(np.float32(float(exact_loss(float(lead), classes)))) for lead in leads]

        assert sweep.from_logits.losses.dtype == np.float32
        assert sweep.from_logits.losses.tolist() == expected
        assert (sweep.from_logits.ulps <= 0.51).all()


def test_errors_are_counted_in_units_of_the_true_value() -> None:
    truth = np.array([1.0, 1.0, 3.0, 2.0**-149, 5.0, 5.0])
    losses = np.array([1 + 2**-23, 1 - 2**-24, 3 - 2**-22, 0, math.inf, math.nan], np.float32)

    assert rounding.ulps(losses, truth).tolist() == [1.0, 0.5, 1.0, 1.0, math.inf, math.inf]
    assert rounding.digits_lost(0.5) == 0
    assert rounding.digits_lost(1000.0) == pytest.approx(3)
    assert rounding.digits_lost(math.inf) == pytest.approx(math.log10(2**24))


# Of each textbook form and side, where float32 and float64 must give up: (mantissa bits, least, largest exponent).
FORMATS: list[tuple[Any, int, int, int]] = [(np.float32, 24, 150, 128), (np.float64, 53, 1075, 1024)]


@pytest.mark.parametrize(("dtype", "bits", "least", "most"), FORMATS, ids=["float32", "float64"])
def test_a_textbook_loss_fails_where_its_steps_must_round_away(dtype: Any, bits: int, least: int, most: int) -> None:
    found = [getattr(failure, np.dtype(dtype).name) for failure in rounding.failures()]
    logistic_yes_right, logistic_yes_wrong, logistic_no_right, logistic_no_wrong = found[:4]
    right, behind_all, behind_one, all_high, all_low = found[4:]
    # float64 is searched in steps of 2⁻¹⁶, two of float32 near 100; exp may be off by a last bit or two.
    near = 2**-15

    def at(**expected: float) -> dict[str, Any]:
        where = {kind: pytest.approx(lead, abs=near) for kind, lead in expected.items()}
        return {"0": where.get("zero"), "inf": where.get("inf"), "NaN": where.get("nan")}

    # 1 + exp(−z) is 1 from exp(−z) = 2⁻ᵇⁱᵗˢ on: a = 1, and log(1 − a) is −inf. exp overflows at 2ᵐᵒˢᵗ: a = 0.
    assert logistic_yes_right == at(nan=bits * LN2)
    assert logistic_yes_wrong == at(inf=-most * LN2)
    # 1 − a is 1 from a = 2⁻ᵇⁱᵗˢ⁻¹ on.
    assert logistic_no_right == at(zero=(bits + 1) * LN2, nan=most * LN2)
    assert logistic_no_wrong == at(inf=-bits * LN2)
    # exp(z) + 9: none of the ones is lost below 2ᵇⁱᵗˢ, all are where the quotient rounds to 1, in whatever order.
    assert bits * LN2 < right["0"] < (bits + 1) * LN2 + math.log(CLASSES - 1)
    assert right["NaN"] == at(nan=most * LN2)["NaN"] and right["inf"] is None
    # p = exp(−z) / 9 rounds to 0 below half the least number, and so does exp(−z) to 4 of those, for 4.5.
    assert behind_all == at(inf=math.log(4.5) - (least - 1) * LN2)
    assert behind_one == at(inf=-most * LN2)
    assert all_high == at(inf=most * LN2 - math.log(CLASSES), nan=most * LN2)
    assert all_low == at(nan=-least * LN2)


SIDES: list[Literal[1, -1]] = [1, -1]


@pytest.mark.parametrize("side", SIDES)
def test_nothing_fails_before_the_first_failure(side: Literal[1, -1]) -> None:
    rng = np.random.default_rng(0)
    for of in (rounding.logistic(1), rounding.logistic(0), rounding.softmax(CLASSES)):
        found = rounding.first_failures(of.textbook, side, np.float32)
        first = min(abs(lead) for lead in found.values() if lead is not None)
        before = side * (rng.random(100_000) * first * (1 - 1e-6)).astype(np.float32)
        there = np.array([side * first], np.float32)

        assert (np.isfinite(of.textbook(before)) & (of.textbook(before) != 0)).all()
        assert of.textbook(there)[0] == 0 or not np.isfinite(of.textbook(there)[0])


def test_from_the_logits_only_what_float32_has_no_number_for_is_zero() -> None:
    # Half the least float32 is 2⁻¹⁵⁰, and log(1 + exp(−lead)) is exp(−lead) there.
    assert rounding.zero_from() == pytest.approx(150 * LN2, abs=1e-5)
    for of in (rounding.logistic(1), rounding.logistic(0), rounding.softmax(CLASSES)):
        for side in SIDES:
            found = rounding.first_failures(of.from_logits, side, np.float32)
            assert (found["inf"], found["NaN"]) == (None, None)
            assert found["0"] is None or found["0"] > 103.9


def test_the_comparison_counts_what_a_plain_loop_counts() -> None:
    comparison = rounding.compare()
    lost = dict.fromkeys(("yes", "no", "two"), 0)
    one = np.float32(1)
    with np.errstate(all="ignore"):
        for lead in rounding.SPREAD_LEADS.astype(np.float32):
            truth = float(np.logaddexp(0.0, -float(lead)))
            yes, no = one / (one + np.exp(-lead)), one / (one + np.exp(lead))
            two = np.exp(lead) / (np.exp(lead) + one)
            ways = {
                "yes": -np.log(yes) - np.float32(0) * np.log(one - yes),
                "no": -np.float32(0) * np.log(no) - np.log(one - no),
                "two": -np.log(two),
            }
            for name, loss in ways.items():
                lost[name] += not (abs(float(loss) - truth) <= 0.01 * truth)

    n = len(rounding.SPREAD_LEADS)
    figures = (*comparison.logistic, comparison.softmax)
    # A single exp and many at once may differ in the last bit, and so stand on either side of 1 %.
    assert [of.lost for of in figures] == pytest.approx([count / n for count in lost.values()], abs=1e-3)
    assert comparison.softmax_suffers_more is (lost["two"] > (lost["yes"] + lost["no"]) / 2)
    assert comparison.from_logits.worst_ulps <= 0.51
    assert comparison.from_logits.lost == 0


def test_subtracting_the_largest_logit_cures_the_offset_and_not_the_lost_digits() -> None:
    """As the answer says. Our softmax subtracts, and rounds correctly: no probability could be better."""
    z = np.array([[20.0, 0.0], [5.0, 0.0]], np.float32)
    low, high = (textbook.softmax_cross_entropy(fl.softmax(z + up), [0, 0], reduction="none") for up in (0, 500))

    assert low.tolist() == high.tolist()
    assert low[0] == 0
    assert rounding.ulps(low, rounding.true_loss(np.array([20.0, 5.0]), 2))[1] > 10


# --- the verb ---


def test_the_whole_lesson_fits_a_terminal_and_shows_the_figures(capsys: Output) -> None:
    assert run(["roundoff"]) == 0
    out, err = capsys.readouterr()

    assert err == ""
    assert max(map(len, out.splitlines())) <= 80
    assert "0.000199999999999978  0.000200033187866211" in out
    assert "\n  20  2.06115e-09" in out  # log1p(exp(−20))
    for figure in ("16.64", "17.33", "88.72", "36.74", "709.78", "103.97"):  # 24, 25, 128, 53, 1024, 150 times log 2
        assert figure in out
    assert "\nNo: on the same question, of two classes, softmax loses " in out


def test_json_holds_all_of_it_and_nothing_json_lacks(capsys: Output) -> None:
    assert run(["roundoff", "--json"]) == 0
    report = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)

    assert list(report) == [
        "two_ways", "logistic", "softmax", "first_failures", "from_logits_zero_from", "comparison", "plot",
    ]  # fmt: skip
    yes, no = report["logistic"]["textbook"]
    last = report["logistic"]["leads"].index(20.0)
    assert (yes["losses"][last], yes["ulps"][last]) == ("nan", "inf")
    assert no["losses"][last] == 0
    assert report["logistic"]["from_logits"]["losses"][last] == pytest.approx(math.log1p(math.exp(-20)), rel=1e-7)
    assert report["comparison"]["softmax_suffers_more"] is False
    assert report["comparison"]["leads"] == {"first": -30.0, "last": 30.0, "count": 60 * 128 + 1}
    assert report["plot"] is None


@draws
def test_the_picture_is_what_its_name_says_and_the_same_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.svg", "b.SVG", "a.png"):
        assert run(["roundoff", "--plot", name]) == 0
        assert capsys.readouterr().out.endswith(f"\ndrawn in {name}\n")

    assert Path("a.svg").read_bytes() == Path("b.SVG").read_bytes()
    assert Path("a.png").read_bytes().startswith(b"\x89PNG\r\n")
    text = " ".join(ElementTree.parse("a.svg").getroot().itertext())
    for words in ("logistic", "softmax", "from the logits", "textbook", "NaN", "inf"):
        assert words in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.svg", "b.SVG"]

    assert run(["roundoff", "--plot", "a.png", "--overwrite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["plot"] == "a.png"


def test_a_run_of_failures_is_one_strip_though_some_losses_between_are_none() -> None:
    leads = np.arange(0, 10, 0.5)
    losses = np.where((leads > 2) & (leads != 3.0), 0.0, 1.0)
    losses[-2:] = math.nan

    assert list(roundoff_plot.runs(leads, losses)) == [(2.5, 8.5, "0"), (9.0, 9.5, "NaN")]


def test_a_point_of_the_picture_is_the_largest_error_of_its_piece() -> None:
    leads = np.array([-0.5, -0.25, 0.0, 0.25, 0.5])
    middles, errors = roundoff_plot.largest(leads, np.array([3.0, 7.0, math.inf, 0.0, math.inf]))

    assert middles.tolist() == [-0.25, 0.25, 0.75]
    assert errors[:2].tolist() == [7.0, roundoff_plot.LEAST]
    assert math.isnan(errors[2])


def test_without_a_picture_no_drawing_library_is_needed(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    assert run(["roundoff"]) == 0
