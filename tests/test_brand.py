"""The brand images: what Home Assistant asks for, drawn by the script."""

import itertools
from pathlib import Path

from PIL import Image, ImageChops
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.plex_auth.const import DOMAIN
from homeassistant.components.brands.const import ALLOWED_IMAGES
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from scripts.draw_brand import images

BRAND = Path(__file__).parent.parent / "custom_components" / DOMAIN / "brand"
NAMES = [
    f"{variant}{kind}{density}.png"
    for variant, kind, density in itertools.product(
        ("", "dark_"), ("icon", "logo"), ("", "@2x")
    )
]
# What Pillow's next version may round in another way.
TOLERANCE = 2

each_image = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def drawn() -> dict[str, Image.Image]:
    """Return what the script draws."""
    return dict(images())


def load(name: str) -> Image.Image:
    """Load a brand image of the repository."""
    with Image.open(BRAND / name) as image:
        assert image.format == "PNG"
        image.load()
        return image


def test_all_are_there(drawn: dict[str, Image.Image]) -> None:
    """There is each image that Home Assistant serves, and no other file."""
    assert {path.name for path in BRAND.iterdir()} == set(NAMES) == set(drawn)
    assert set(NAMES) == set(ALLOWED_IMAGES)


@each_image
def test_size(name: str) -> None:
    """An icon is square and of a fixed size, a logo's short side is in bounds."""
    size = load(name).size
    if "icon" in name:
        assert size == ((512, 512) if "@2x" in name else (256, 256))
    elif "@2x" in name:
        assert 256 <= min(size) <= 512
        assert (
            max(abs(a - 2 * b) for a, b in zip(size, normal_size(name), strict=True))
            <= 1
        )
    else:
        assert 128 <= min(size) <= 256
        assert size[0] > size[1]


def normal_size(name: str) -> tuple[int, int]:
    """Return the size of the image of the normal density."""
    return load(name.replace("@2x", "")).size


@each_image
def test_transparent_and_trimmed(name: str) -> None:
    """The background is transparent, and what is drawn reaches each border."""
    image = load(name)
    assert image.mode == "RGBA"
    alpha = image.getchannel("A")
    assert alpha.getextrema() == (0, 255)
    assert alpha.getpixel((image.width - 1, 0)) == 0
    assert alpha.point(lambda value: 255 * (value > 64)).getbbox() == (
        0,
        0,
        *image.size,
    )


@each_image
def test_smooth(name: str) -> None:
    """Edges are smooth: some dots are neither there nor not."""
    histogram = load(name).getchannel("A").histogram()
    assert sum(histogram[32:224]) > 100


@pytest.mark.parametrize("name", [name for name in NAMES if "dark" not in name])
def test_variants_differ(name: str) -> None:
    """The variants have the same form, and the dark one is the brighter key."""
    light, dark = load(name), load(f"dark_{name}")
    assert light.getchannel("A").tobytes() == dark.getchannel("A").tobytes()
    tip = (light.width - light.width // 16, light.height // 2)
    if "icon" in name:
        tip = (light.width - light.width // 16, light.height - light.height // 16)
    assert brightness(light, tip) + 50 < brightness(dark, tip)


def brightness(image: Image.Image, at: tuple[int, int]) -> int:
    """Return how bright a dot is."""
    return image.convert("L").crop((*at, at[0] + 1, at[1] + 1)).tobytes()[0]


@each_image
def test_is_what_the_script_draws(name: str, drawn: dict[str, Image.Image]) -> None:
    """The image is what `scripts/draw_brand.py` draws."""
    image = load(name)
    assert image.size == drawn[name].size
    assert max(ImageChops.difference(image, drawn[name]).tobytes()) <= TOLERANCE


async def test_home_assistant_serves_them(
    hass: HomeAssistant, hass_client: ClientSessionGenerator
) -> None:
    """Home Assistant itself serves the images."""
    assert await async_setup_component(hass, "http", {})
    assert await async_setup_component(hass, "brands", {})
    client = await hass_client()
    for name in NAMES:
        response = await client.get(f"/api/brands/integration/{DOMAIN}/{name}")
        assert response.status == 200
        assert await response.read() == (BRAND / name).read_bytes()
