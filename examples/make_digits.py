"""Write `digits.csv`: the handwritten digits that scikit-learn bundles, one row each (needs scikit-learn).

python examples/make_digits.py       rewrites examples/digits.csv
"""

from __future__ import annotations

from pathlib import Path

from sklearn.datasets import load_digits

SIDE = 8  # pixels of a digit


def write_digits(path: Path) -> None:
    """Write the 1 797 digits in scikit-learn's order: pixels row by row, 0 to 16, then the digit, 0 to 9."""
    pixels, digits = load_digits(return_X_y=True)
    names = [f"pixel_{row}_{column}" for row in range(SIDE) for column in range(SIDE)]
    lines = [",".join([*names, "digit"])]
    for row, digit in zip(pixels.astype(int).tolist(), digits.tolist(), strict=True):
        lines.append(",".join(map(str, [*row, digit])))
    path.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


if __name__ == "__main__":
    write_digits(Path(__file__).with_name("digits.csv"))
