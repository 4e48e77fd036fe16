#!/usr/bin/env python3
"""Draw the brand images: a key whose bow is a play button.

The icon is the key aslant in a square; the logo is the same key lying, with a longer
shaft. Each is drawn several times as large as needed and then reduced, which smooths
the edges. Needs Pillow.
"""

from collections.abc import Iterator
from dataclasses import dataclass
import math
from pathlib import Path
import sys

from PIL import Image, ImageDraw

BRAND = Path(__file__).resolve().parents[1] / "custom_components/plex_auth/brand"
ICON_SIZE = 256
LOGO_HEIGHT = 160
UNIT = 640  # the radius of the bow in dots, before the picture is reduced

Colour = tuple[int, int, int]
Point = tuple[float, float]


@dataclass(frozen=True)
class Palette:
    """The colours of a variant: from bow to tip, and the play sign."""

    bow: Colour
    tip: Colour
    play: Colour


@dataclass(frozen=True)
class Key:
    """A key; all lengths are in radii of its bow, from the middle of the bow."""

    length: float
    teeth: tuple[tuple[float, float], ...]  # where each is, and how long
    angle: float  # in degrees, clockwise
    stroke: float = 0.46


LIGHT = Palette(bow=(88, 56, 200), tip=(206, 52, 136), play=(255, 255, 255))
DARK = Palette(bow=(167, 145, 255), tip=(255, 140, 200), play=(38, 22, 78))

ICON = Key(length=2.7, teeth=((1.55, 0.78), (2.23, 0.47)), angle=45)
LOGO = Key(length=4.6, teeth=((2.6, 0.7), (3.35, 0.5), (4.1, 0.7)), angle=0)


def images() -> Iterator[tuple[str, Image.Image]]:
    """Yield the name of each brand image, and the image."""
    for prefix, palette in (("", LIGHT), ("dark_", DARK)):
        icon, logo = draw(ICON, palette), draw(LOGO, palette)
        for suffix, scale in (("", 1), ("@2x", 2)):
            yield f"{prefix}icon{suffix}.png", _reduced(icon, ICON_SIZE * scale)
            yield f"{prefix}logo{suffix}.png", _reduced(logo, LOGO_HEIGHT * scale)


def draw(key: Key, palette: Palette) -> Image.Image:
    """Draw a key, large, and cut to what is drawn."""
    side = math.ceil(2 * UNIT * (key.length + 1.5))
    middle = side / 2
    mask = Image.new("L", (side, side))
    pen = ImageDraw.Draw(mask)

    def dot(along: float, across: float = 0) -> Point:
        """Return where something of the key is in the picture."""
        angle = math.radians(key.angle)
        return (
            middle + UNIT * (along * math.cos(angle) - across * math.sin(angle)),
            middle + UNIT * (along * math.sin(angle) + across * math.cos(angle)),
        )

    _stroke(pen, dot(0), dot(key.length), UNIT * key.stroke)
    for along, across in key.teeth:
        _stroke(pen, dot(along), dot(along, across), UNIT * key.stroke)
    _disc(pen, dot(0), UNIT)

    box = mask.getbbox()
    picture = _gradient(palette, key, box or (0, 0, side, side), side)
    _play(ImageDraw.Draw(picture), (middle, middle), UNIT * 0.56, palette.play)
    picture.putalpha(mask)
    return picture.crop(box)


def _gradient(
    palette: Palette, key: Key, box: tuple[int, int, int, int], side: int
) -> Image.Image:
    """Return a square with the colours of a key, which run from its bow to its tip."""
    size = (box[2] - box[0], box[3] - box[1])
    down = Image.linear_gradient("L")
    right = down.transpose(Image.Transpose.ROTATE_90)
    blend = Image.blend(right, down, math.sin(math.radians(key.angle)) ** 2)
    bow, tip = Image.new("RGB", size, palette.bow), Image.new("RGB", size, palette.tip)
    picture = Image.new("RGB", (side, side))
    picture.paste(Image.composite(tip, bow, blend.resize(size)), box[:2])
    return picture


def _play(
    pen: ImageDraw.ImageDraw, middle: Point, radius: float, colour: Colour
) -> None:
    """Draw a play sign with round corners."""
    corner = radius * 0.2
    points = [
        (
            middle[0] + (radius - corner) * math.cos(math.radians(angle)),
            middle[1] + (radius - corner) * math.sin(math.radians(angle)),
        )
        for angle in (0, 120, 240)
    ]
    pen.polygon(points, fill=colour)
    for start, end in zip(points, [*points[1:], points[0]], strict=True):
        _stroke(pen, start, end, 2 * corner, colour)


def _stroke(
    pen: ImageDraw.ImageDraw,
    start: Point,
    end: Point,
    width: float,
    colour: Colour | int = 255,
) -> None:
    """Draw a line with round ends."""
    length = math.dist(start, end)
    across = (
        (end[1] - start[1]) / length * width / 2,
        (start[0] - end[0]) / length * width / 2,
    )
    pen.polygon(
        [
            (start[0] + across[0], start[1] + across[1]),
            (end[0] + across[0], end[1] + across[1]),
            (end[0] - across[0], end[1] - across[1]),
            (start[0] - across[0], start[1] - across[1]),
        ],
        fill=colour,
    )
    for point in (start, end):
        _disc(pen, point, width / 2, colour)


def _disc(
    pen: ImageDraw.ImageDraw, middle: Point, radius: float, colour: Colour | int = 255
) -> None:
    """Draw a disc."""
    pen.circle(middle, radius, fill=colour)


def _reduced(picture: Image.Image, height: int) -> Image.Image:
    """Return a picture of that height."""
    width = round(picture.width * height / picture.height)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def main() -> int:
    """Write the brand images."""
    BRAND.mkdir(exist_ok=True)
    for name, image in images():
        image.save(BRAND / name, optimize=True)
        print(f"{name}: {image.width} x {image.height}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
