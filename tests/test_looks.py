"""What images look like, by which augmentations are suggested."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_tsimcne.images import ImageSource, open_images
from napari_tsimcne.patches import look_of
from napari_tsimcne.recipe import VIEWS


def spots(seed=0, side=256, count=40, sigma=5):
    """Smooth bright spots on 0, the brightest 1."""
    random = np.random.default_rng(seed)
    image = np.zeros((side, side))
    image[tuple(random.integers(0, side, (2, count)))] = 1
    image = gaussian_filter(image, sigma, mode="wrap")
    return image / image.max()


def noisy(image, seed=1):
    return image + np.random.default_rng(seed).normal(0, 0.01, image.shape)


def source(image, axes="YX", **options):
    return ImageSource.from_array(image, axes, name="a", **options)


BRIGHT_FIELD = 1 - 0.6 * spots()
PHASE = 0.5 - 0.4 * spots() + 0.45 * (gaussian_filter(spots(), 6) - spots(sigma=6) * 0.2)
SHADES = 0.5 + 4 * np.gradient(spots())[1]


@pytest.mark.parametrize("image", [BRIGHT_FIELD, PHASE, SHADES, 1 - spots(count=5)])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_bright_background_is_transmitted_light(image, bits):
    values = (noisy(image).clip(0, 1.2) * (200 if bits == 8 else 40_000)).astype(f"uint{bits}")
    assert look_of([source(values)]) == "transmitted"
    # Also in the grey values of three equal channels.
    grey = np.repeat(values[..., None], 3, axis=-1)
    assert look_of([source(grey, "YXS")]) == "transmitted"


@pytest.mark.parametrize("background", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("count", [3, 40, 150])
def test_bright_cells_are_fluorescence_on_any_level_of_background(background, count):
    values = noisy(background + (1 - background) * spots(count=count))
    assert look_of([source((values.clip(0, 1.2) * 200).astype(np.uint8))]) == "fluorescence"


def test_colours_are_histology_and_grey_never_is():
    random = np.random.default_rng(0)
    colours = random.integers(0, 255, (64, 64, 3)).astype(np.uint8)
    assert look_of([source(colours, "YXS")]) == "histology"
    grey = np.repeat(colours[..., :1], 3, axis=-1)
    assert look_of([source(grey, "YXS")]) != "histology"


@pytest.mark.parametrize(
    ("names", "look"),
    [
        (("Phase",), "transmitted"), (("TL-Brightfield",), "transmitted"),
        (("DIC",), "transmitted"), (("BF", "ph 2"), "transmitted"),
        (("DAPI", "BF"), "fluorescence"), (("Tubulin",), "fluorescence"),
        (("alpha",), "fluorescence"), (("PhalloidinBF",), "fluorescence"),
    ],
)  # fmt: skip
def test_channels_are_known_by_name(names, look):
    values = np.stack([noisy(spots(i)) for i in range(len(names))])
    image = source((values.clip(0, 1) * 200).astype(np.uint8), "CYX", channel_names=names)
    assert look_of([image]) == look and look in VIEWS


def test_what_cannot_be_told_is_fluorescence():
    assert look_of([source(np.full((64, 64), 7, np.uint8))]) == "fluorescence"
    assert look_of([source(np.full((64, 64), np.nan, np.float32))]) == "fluorescence"


@pytest.mark.parametrize(
    ("folder", "look"),
    [("bbbc013/wells", "fluorescence"), ("plates/cytation/images", "fluorescence"),
     ("chula", "histology"), ("pbc", "histology")],
)  # fmt: skip
def test_real_images(real_data, folder, look):
    images, _ = open_images(real_data / folder)
    assert look_of(images[:24]) == look
