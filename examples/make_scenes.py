"""Draw the street scenes of `scenes.npz`: small pictures with a car, a bus, a pedestrian, or none of them.

    python examples/make_scenes.py                                       rewrites examples/scenes.npz
    python examples/make_scenes.py --contact-sheet examples/scenes.png   draws the first ones (needs Pillow)

Every picture has a generator of its own, keyed by its number, so picture i is the same however many are made.
Drawing uses integers, comparisons and the four operations only, no library's shapes and no sines, so that the
pixels are the same on every machine. The bytes of the file also depend on the zlib that packs them.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SEED = 20261124
COUNT = 3000
SIDE = 32  # pixels of a finished picture
FINE = 4  # fine pixels along the side of a finished one; averaging them softens the edges
CLASSES = ("car", "bus", "pedestrian")
MARKS = ((210, 40, 40), (30, 150, 60), (40, 80, 210))  # of the classes, on the contact sheet
P_PRESENT = 0.45  # of each kind, independently of the others
LEAST_VISIBLE = 0.6  # part of an object, inside the frame, that nothing else may hide
STEP = 8  # every value is a multiple of this, noise too: it packs well

Colour = tuple[int, int, int]
Pair = tuple[float, float]

# Vehicles, clothes, houses and bins share these, so that neither hue nor brightness tells one from another.
LIGHT: tuple[Colour, ...] = (
    (236, 236, 230),
    (206, 210, 214),
    (250, 220, 80),
    (150, 205, 248),
    (250, 165, 150),
    (170, 228, 150),
)
DARK: tuple[Colour, ...] = (
    (22, 22, 26),
    (50, 48, 46),
    (22, 40, 120),
    (140, 22, 24),
    (18, 80, 40),
    (84, 40, 96),
)
SKIN: tuple[Colour, ...] = ((244, 208, 178), (214, 160, 116), (150, 98, 62), (88, 56, 38))
HAIR: tuple[Colour, ...] = ((28, 22, 20), (96, 58, 30), (216, 178, 96), (190, 190, 188))
LEAVES: tuple[Colour, ...] = ((30, 84, 34), (66, 132, 52), (128, 164, 62), (186, 122, 40))
SKY_ABOVE: tuple[Colour, ...] = ((96, 152, 224), (150, 156, 164), (214, 120, 84), (24, 28, 62))
SKY_BELOW: tuple[Colour, ...] = ((176, 208, 240), (196, 198, 200), (248, 196, 128), (66, 62, 104))
TYRE: Colour = (24, 24, 26)
SHADOW: Colour = (84, 84, 88)


class Canvas:
    """A picture being painted, FINE x FINE fine pixels for one finished pixel.

    Coordinates are in finished pixels, x to the right and y down, and may lie outside the frame.

    Attributes:
        pixels: colours, int16, shape (SIDE * FINE, SIDE * FINE, 3).
        owner: the number of the thing painted last at each fine pixel, int8.
        number: the thing that the next shapes belong to.
    """

    def __init__(self) -> None:
        self.pixels: NDArray[np.int16] = np.zeros((SIDE * FINE, SIDE * FINE, 3), dtype=np.int16)
        self.owner: NDArray[np.int8] = np.full((SIDE * FINE, SIDE * FINE), -1, dtype=np.int8)
        self.number = -1

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """Fill an upright rectangle."""
        window = _window(left, top, right, bottom)
        self.pixels[window] = colour
        self.owner[window] = self.number

    def ellipse(self, x: float, y: float, radius_x: float, radius_y: float, colour: Colour) -> None:
        """Fill an ellipse around (x, y)."""
        window = _window(x - radius_x, y - radius_y, x + radius_x, y + radius_y)
        ys, xs = _centres(window)
        self._fill(window, ((xs - x) / radius_x) ** 2 + ((ys - y) / radius_y) ** 2 <= 1.0, colour)

    def trapezoid(self, top: float, bottom: float, at_top: Pair, at_bottom: Pair, colour: Colour) -> None:
        """Fill between two horizontal edges, each given by its two ends."""
        window = _window(min(at_top + at_bottom), top, max(at_top + at_bottom), bottom)
        ys, xs = _centres(window)
        down = (ys - top) / (bottom - top)
        one = at_top[0] + (at_bottom[0] - at_top[0]) * down
        other = at_top[1] + (at_bottom[1] - at_top[1]) * down
        self._fill(window, (xs >= np.minimum(one, other)) & (xs <= np.maximum(one, other)), colour)

    def finished(self) -> NDArray[np.int64]:
        """The picture itself: the mean of each block of fine pixels, rounded down, shape (SIDE, SIDE, 3)."""
        blocks = self.pixels.reshape(SIDE, FINE, SIDE, FINE, 3)
        sums: NDArray[np.int64] = blocks.sum(axis=(1, 3), dtype=np.int64)
        return sums // (FINE * FINE)

    def _fill(self, window: tuple[slice, slice], inside: NDArray[np.bool_], colour: Colour) -> None:
        self.pixels[window][inside] = colour
        self.owner[window][inside] = self.number


def _window(left: float, top: float, right: float, bottom: float) -> tuple[slice, slice]:
    """The fine rows and columns nearest to a rectangle, cut to the frame."""
    x0, x1, y0, y1 = (min(max(round(edge * FINE), 0), SIDE * FINE) for edge in (left, right, top, bottom))
    return slice(y0, max(y1, y0)), slice(x0, max(x1, x0))


def _centres(window: tuple[slice, slice]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The y and x of the middles of a window's fine pixels, as a column and a row."""
    rows, columns = window
    ys = (np.arange(rows.start, rows.stop) + 0.5) / FINE
    xs = (np.arange(columns.start, columns.stop) + 0.5) / FINE
    return ys[:, None], xs[None, :]


class Dice:
    """The random choices of one picture."""

    def __init__(self, index: int) -> None:
        self._generator = np.random.Generator(np.random.Philox(key=[SEED, index]))

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * float(self._generator.random())

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return float(self._generator.random()) < probability

    def count(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(self._generator.integers(low, high + 1))

    def one_of(self, colours: Sequence[Colour]) -> Colour:
        """One of these colours."""
        return colours[self.count(0, len(colours) - 1)]

    def paint(self) -> Colour:
        """A light or a dark colour, each half of the time."""
        return self.one_of(LIGHT if self.chance(0.5) else DARK)

    def grey(self, low: int, high: int) -> Colour:
        """A grey, slightly warm or cold."""
        level, warmth = self.count(low, high), self.count(-6, 6)
        return level + warmth, level, level - warmth

    def noise(self) -> NDArray[np.int64]:
        """One of -1, 0, 1 for each pixel of a picture, 0 for seven in eight, shape (SIDE, SIDE, 1)."""
        sixteenth = self._generator.integers(0, 16, size=(SIDE, SIDE, 1))
        steps: NDArray[np.int64] = (sixteenth == 0).astype(np.int64) - (sixteenth == 1)
        return steps


def _shade(colour: Colour, percent: int) -> Colour:
    red, green, blue = (min(part * percent // 100, 255) for part in colour)
    return red, green, blue


# ------------------------------------------------------------------------------------------- the three kinds


def draw_car(canvas: Canvas, dice: Dice, x: float, y: float, scale: float) -> None:
    """A low body on two wheels with a cabin on top; (x, y) is the middle of where it stands."""
    length = scale * dice.between(15.5, 18.5)
    way = 1.0 if dice.chance(0.5) else -1.0
    body = dice.paint()
    glass = dice.one_of(DARK if body in LIGHT else LIGHT) if dice.chance(0.8) else dice.paint()
    tail = dice.between(-0.5, -0.36)  # where the roof ends behind: an estate car or a saloon

    def at(along: float) -> float:
        return x + way * along * length

    def up(high: float) -> float:
        return y - high * length

    canvas.ellipse(x, y, 0.5 * length, 0.05 * length, SHADOW)
    canvas.trapezoid(up(0.47), up(0.28), (at(tail + 0.1), at(0.12)), (at(tail), at(0.3)), body)
    canvas.trapezoid(up(0.43), up(0.29), (at(tail + 0.14), at(-0.1)), (at(tail + 0.07), at(-0.1)), glass)
    canvas.trapezoid(up(0.43), up(0.29), (at(-0.04), at(0.1)), (at(-0.04), at(0.23)), glass)
    canvas.trapezoid(up(0.3), up(0.08), (at(-0.49), at(0.42)), (at(-0.5), at(0.5)), body)
    canvas.trapezoid(up(0.12), up(0.08), (at(-0.5), at(0.5)), (at(-0.5), at(0.5)), _shade(body, 60))
    canvas.ellipse(at(0.45), up(0.21), 0.045 * length, 0.045 * length, (255, 244, 190))
    canvas.trapezoid(up(0.26), up(0.18), (at(-0.5), at(-0.45)), (at(-0.5), at(-0.45)), (214, 36, 30))
    for along in (-0.29, 0.29):
        _wheel(canvas, at(along), up(0.09), 0.105 * length)


def draw_bus(canvas: Canvas, dice: Dice, x: float, y: float, scale: float) -> None:
    """A tall long box on two wheels with a row of windows, now and then two; (x, y) is where it stands."""
    length = scale * dice.between(19.0, 23.0)
    way = 1.0 if dice.chance(0.5) else -1.0
    body = dice.paint()
    glass = dice.one_of(DARK if body in LIGHT else LIGHT)
    windows = dice.count(4, 6)
    rows = ((0.5, 0.32),) if dice.chance(0.85) else ((0.68, 0.54), (0.45, 0.31))

    def at(along: float) -> float:
        return x + way * along * length

    def up(high: float) -> float:
        return y - high * length

    roof = rows[0][0] + 0.06
    canvas.ellipse(x, y, 0.5 * length, 0.035 * length, SHADOW)
    canvas.trapezoid(up(roof), up(0.06), (at(-0.5), at(0.48)), (at(-0.5), at(0.5)), body)
    if dice.chance(0.5):
        canvas.trapezoid(up(0.22), up(0.16), (at(-0.5), at(0.5)), (at(-0.5), at(0.5)), dice.paint())
    for top, bottom in rows:
        for number in range(windows):
            left = -0.46 + number * 0.8 / windows
            right = left + 0.6 / windows
            canvas.trapezoid(up(top), up(bottom), (at(left), at(right)), (at(left), at(right)), glass)
    canvas.trapezoid(up(rows[-1][0]), up(0.09), (at(0.37), at(0.46)), (at(0.37), at(0.47)), glass)
    for along in (-0.3, 0.27):
        _wheel(canvas, at(along), up(0.065), 0.075 * length)


def draw_pedestrian(canvas: Canvas, dice: Dice, x: float, y: float, scale: float) -> None:
    """A thin upright figure: head, body, arms, legs or a skirt; (x, y) is where it stands."""
    height = scale * dice.between(15.5, 19.0)
    width = height * dice.between(0.14, 0.18)
    coat, skin = dice.paint(), dice.one_of(SKIN)
    alike = LIGHT if coat in LIGHT else DARK
    trousers = dice.one_of(alike) if dice.chance(0.5) else dice.paint()
    stride = height * dice.between(0.02, 0.14)
    way = 1.0 if dice.chance(0.5) else -1.0

    def up(high: float) -> float:
        return y - high * height

    foot = 0.045 * height
    for side in (-1.0, 1.0):
        hip, toe = x + side * 0.45 * width, x + side * stride
        canvas.trapezoid(up(0.5), y, (hip - foot, hip + foot), (toe - foot, toe + foot), trousers)
    if dice.chance(0.25):
        waist, hem = (x - 0.7 * width, x + 0.7 * width), (x - width, x + width)
        canvas.trapezoid(up(0.52), up(0.27), waist, hem, trousers)
    for side in (-1.0, 1.0):
        top, hand = x + side * 0.95 * width, x + side * (width + 0.5 * stride)
        canvas.trapezoid(up(0.8), up(0.48), (top - foot, top + foot), (hand - foot, hand + foot), coat)
    canvas.trapezoid(up(0.83), up(0.46), (x - width, x + width), (x - 0.75 * width, x + 0.75 * width), coat)
    canvas.ellipse(x, up(0.92), 0.085 * height, 0.095 * height, dice.one_of(HAIR))
    canvas.ellipse(x + way * 0.02 * height, up(0.9), 0.065 * height, 0.075 * height, skin)
    if dice.chance(0.3):
        bag = x + way * 1.5 * width
        canvas.box(bag - 0.06 * height, up(0.46), bag + 0.06 * height, up(0.33), dice.paint())


def _wheel(canvas: Canvas, x: float, y: float, radius: float) -> None:
    canvas.ellipse(x, y, radius, radius, TYRE)
    canvas.ellipse(x, y, 0.55 * radius, 0.55 * radius, (190, 190, 194))


# ---------------------------------------------------------------------------------------------- the scenery


def draw_backdrop(canvas: Canvas, dice: Dice, horizon: float) -> None:
    """Sky, a row of houses down to the horizon, a pavement, the road and its markings."""
    sky = dice.count(0, len(SKY_ABOVE) - 1)
    canvas.box(0, 0, SIDE, 5, SKY_ABOVE[sky])
    canvas.box(0, 5, SIDE, horizon, SKY_BELOW[sky])
    if dice.chance(0.5):
        cloud, high = dice.between(0, SIDE), dice.between(1, 5)
        canvas.ellipse(cloud, high, 5, 1.3, dice.grey(180, 245))
        canvas.ellipse(cloud + 2, high - 0.8, 3, 1.2, dice.grey(180, 245))
    left = dice.between(-6.0, 0.0)
    while left < SIDE:
        right = left + dice.between(6.0, 12.0)
        if dice.chance(0.8):
            draw_house(canvas, dice, left, right, horizon)
        left = right + dice.between(0.0, 1.5)

    road = dice.grey(95, 150)
    canvas.box(0, horizon, SIDE, horizon + 3, dice.grey(90, 200))
    canvas.box(0, horizon + 3, SIDE, horizon + 3.5, dice.grey(60, 220))
    canvas.box(0, horizon + 3.5, SIDE, SIDE, road)
    middle = dice.between(horizon + 7, horizon + 11)
    start = dice.between(-6.0, 0.0)
    for dash in range(6):
        canvas.box(start + 7 * dash, middle, start + 7 * dash + 4, middle + 0.7, (232, 228, 210))
    if dice.chance(0.25):
        draw_crosswalk(canvas, dice, horizon + 3.5)
    for _ in range(dice.count(0, 3)):  # patches and puddles
        patch = _shade(road, dice.count(65, 140))
        x, y = dice.between(0, SIDE), dice.between(horizon + 5, SIDE)
        canvas.ellipse(x, y, dice.between(1.5, 5.0), dice.between(0.5, 1.4), patch)


def draw_crosswalk(canvas: Canvas, dice: Dice, top: float) -> None:
    """Stripes across the road, wider and further apart near the viewer."""
    far, near = dice.between(4.0, SIDE - 10.0), dice.between(-6.0, SIDE - 14.0)
    for stripe in range(5):
        upper, lower = far + 1.5 * stripe, near + 5.0 * stripe
        canvas.trapezoid(top, SIDE, (upper, upper + 0.8), (lower, lower + 2.6), (222, 222, 214))


def draw_house(canvas: Canvas, dice: Dice, left: float, right: float, bottom: float) -> None:
    """A wall with a grid of windows, a door, and a flat or a pitched roof."""
    wall, glass = dice.paint(), dice.paint()
    top = bottom - dice.between(5.0, 13.0)
    middle = (left + right) / 2
    canvas.box(left, top, right, bottom, wall)
    if dice.chance(0.6):
        canvas.trapezoid(top - 2.5, top, (middle - 1, middle + 1), (left - 0.5, right + 0.5), dice.paint())
    y = top + 1.0
    while y + 1.6 < bottom - 1.5:
        x = left + 1.0
        while x + 1.4 < right:
            canvas.box(x, y, x + 1.4, y + 1.7, glass)
            x += 2.6
        y += 3.2
    canvas.box(middle - 0.8, bottom - 2.4, middle + 0.8, bottom, dice.paint())


def draw_tree(canvas: Canvas, dice: Dice, x: float, y: float, scale: float) -> None:
    """A trunk under a round crown of three parts."""
    height, leaves = scale * dice.between(12.0, 18.0), dice.one_of(LEAVES)
    canvas.box(x - 0.5 * scale, y - 0.6 * height, x + 0.5 * scale, y, (84, 58, 38))
    for across, high, percent in ((-0.14, 0.64, 80), (0.14, 0.68, 100), (0.0, 0.84, 120)):
        leaf = _shade(leaves, percent)
        canvas.ellipse(x + across * height, y - high * height, 0.19 * height, 0.17 * height, leaf)


def draw_lamp(canvas: Canvas, dice: Dice, x: float, y: float, scale: float) -> None:
    """A thin pole with a lamp to one side, or a round one on top."""
    height, metal = scale * dice.between(14.0, 20.0), dice.grey(30, 200)
    canvas.box(x - 0.35, y - height, x + 0.35, y, metal)
    if dice.chance(0.5):
        canvas.ellipse(x, y - height, 1.2, 1.2, (255, 240, 180))
    else:
        canvas.box(x, y - height, x + 3.0, y - height + 0.6, metal)
        canvas.box(x + 1.8, y - height + 0.6, x + 3.2, y - height + 1.2, (255, 240, 180))


def draw_sign(canvas: Canvas, dice: Dice, x: float, y: float, scale: float) -> None:
    """A traffic sign: a round or square plate on a pole, thin and upright like a person but without legs."""
    height, plate = scale * dice.between(9.0, 14.0), dice.paint()
    canvas.box(x - 0.3, y - height, x + 0.3, y, dice.grey(60, 190))
    if dice.chance(0.5):
        canvas.ellipse(x, y - height, 1.6 * scale, 1.6 * scale, plate)
    else:
        half = 1.5 * scale
        canvas.box(x - half, y - height - half, x + half, y - height + half, plate)


def draw_bush(canvas: Canvas, dice: Dice, x: float, y: float, scale: float) -> None:
    """A low green mound."""
    leaves, width = dice.one_of(LEAVES), scale * dice.between(2.0, 4.5)
    canvas.ellipse(x, y - 0.45 * width, width, 0.55 * width, leaves)
    canvas.ellipse(x - 0.3 * width, y - 0.6 * width, 0.4 * width, 0.3 * width, _shade(leaves, 125))


def draw_bin(canvas: Canvas, dice: Dice, x: float, y: float, scale: float) -> None:
    """A bin or a crate: as wide as a person or as a small car, without wheels or legs."""
    colour, width = dice.paint(), scale * dice.between(1.2, 3.5)
    height = scale * dice.between(2.5, 5.0)
    canvas.trapezoid(y - height, y, (x - width, x + width), (x - 0.85 * width, x + 0.85 * width), colour)
    canvas.box(x - 1.1 * width, y - height - 0.5, x + 1.1 * width, y - height + 0.3, _shade(colour, 70))


def draw_billboard(canvas: Canvas, dice: Dice, x: float, y: float, scale: float) -> None:
    """A poster on two legs, coloured like a vehicle."""
    width, board = scale * dice.between(4.0, 7.0), dice.paint()
    top, bottom = y - scale * dice.between(9.0, 11.0), y - scale * dice.between(3.5, 5.0)
    for side in (-0.7, 0.7):
        canvas.box(x + side * width - 0.3, bottom, x + side * width + 0.3, y, dice.grey(30, 120))
    canvas.box(x - width, top, x + width, bottom, board)
    canvas.box(x - 0.8 * width, top + 1.2, x + dice.between(-0.2, 0.8) * width, top + 2.4, dice.paint())


# How near the viewer each kind may stand (y of its lowest edge), and how near the sides of the frame.
NEARNESS: tuple[Pair, ...] = ((25.0, 30.0), (21.0, 25.5), (26.5, 31.0))
MARGINS = (5.0, 8.0, 2.5)

DrawThing = Callable[[Canvas, Dice, float, float, float], None]
KINDS: tuple[DrawThing, ...] = (draw_car, draw_bus, draw_pedestrian)
CLUTTER: tuple[DrawThing, ...] = (draw_tree, draw_lamp, draw_sign, draw_bush, draw_bin, draw_billboard)


# ------------------------------------------------------------------------------------------ a whole picture


def scene(index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Picture number `index` and its labels.

    Args:
        index: which picture, from 0.

    Returns:
        Colours, uint8, shape (SIDE, SIDE, 3), multiples of STEP; and for each of CLASSES 1 where the picture
        shows one, uint8, shape (3,). What a label promises can be seen: at least LEAST_VISIBLE of it.
    """
    dice = Dice(index)
    present = [dice.chance(P_PRESENT) for _ in CLASSES]
    canvas = None
    while canvas is None:
        canvas = _painted(dice, present)
    return _lit(canvas.finished(), dice), np.array(present, dtype=np.uint8)


def _painted(dice: Dice, present: Sequence[bool]) -> Canvas | None:
    """A street with these kinds on it, or None where one of them came out too hidden."""
    canvas = Canvas()
    horizon = dice.between(11.5, 13.5)
    draw_backdrop(canvas, dice, horizon)

    standing: list[tuple[float, float, int, DrawThing]] = []
    for _ in range(dice.count(1, 4)):
        draw = CLUTTER[dice.count(0, len(CLUTTER) - 1)]
        near = horizon + (dice.between(1.0, 4.0) if dice.chance(0.8) else dice.between(4.0, 18.0))
        standing.append((near, dice.between(0.0, SIDE), -1, draw))
    for number, draw in enumerate(KINDS):
        if present[number]:
            margin = MARGINS[number]
            place = dice.between(*NEARNESS[number]), dice.between(margin, SIDE - margin)
            standing.append((*place, number, draw))

    whole = [0] * len(KINDS)
    for y, x, number, draw in sorted(standing, key=lambda thing: thing[0]):  # the nearest last
        canvas.number = number
        draw(canvas, dice, x, y, 0.75 + 0.25 * (y - horizon) / (SIDE - horizon))
        if number >= 0:
            whole[number] = int(np.count_nonzero(canvas.owner == number))
    for number, area in enumerate(whole):
        if np.count_nonzero(canvas.owner == number) < LEAST_VISIBLE * area:
            return None
    return canvas


def _lit(picture: NDArray[np.int64], dice: Dice) -> NDArray[np.uint8]:
    """The picture under its own light: brightness, a tint, and noise.

    Noise is the same in all three colours and touches one pixel in eight: it stays visible and still packs.
    """
    gain = dice.count(76, 118)
    light = np.array([gain + dice.count(-8, 8) for _ in range(3)])
    levels = (picture * light // 100 + STEP // 2) // STEP + dice.noise()
    lit: NDArray[np.int64] = STEP * np.clip(levels, 0, 255 // STEP)
    return lit.astype(np.uint8)


def scenes(count: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The first `count` pictures, uint8 (count, SIDE, SIDE, 3), and their labels, uint8 (count, 3)."""
    pictures, labels = zip(*(scene(index) for index in range(count)), strict=True)
    return np.stack(pictures), np.stack(labels)


def write_npz(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write what `np.savez_compressed` writes, with a fixed date: equal arrays give equal bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # else the running system is noted
            packed = io.BytesIO()
            np.lib.format.write_array(packed, array, allow_pickle=False)
            archive.writestr(entry, packed.getvalue(), compresslevel=9)


def write_contact_sheet(path: Path, rows: int = 5, columns: int = 10, zoom: int = 3) -> None:
    """A picture of the first rows * columns scenes; the marks below one are its labels."""
    from PIL import Image

    pictures, labels = scenes(rows * columns)
    tile = SIDE * zoom
    sheet = np.full((rows * (tile + 8), columns * (tile + 4), 3), 255, dtype=np.uint8)
    for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        top, left = number // columns * (tile + 8), number % columns * (tile + 4)
        sheet[top : top + tile, left : left + tile] = picture.repeat(zoom, axis=0).repeat(zoom, axis=1)
        for kind in range(len(CLASSES)):
            if label[kind]:
                start = left + tile // 3 * kind
                sheet[top + tile + 1 : top + tile + 5, start : start + tile // 3 - 2] = MARKS[kind]
    Image.fromarray(sheet).save(path, optimize=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the data set, or with --contact-sheet a picture of its beginning."""
    parser = argparse.ArgumentParser(description="Make scenes.npz, or a contact sheet of it.")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("scenes.npz"))
    parser.add_argument("--contact-sheet", type=Path, metavar="PNG", help="draw this instead (needs Pillow)")
    options = parser.parse_args(arguments)
    if options.contact_sheet is not None:
        write_contact_sheet(options.contact_sheet)
        return
    pictures, labels = scenes(COUNT)
    write_npz(options.output, {"X": pictures, "y": labels, "classes": np.array(CLASSES, dtype="<U10")})


if __name__ == "__main__":
    main()
