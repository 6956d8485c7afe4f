import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as TF

from napari_tsimcne.learning import augment, center_crop
from napari_tsimcne.learning._augment import Share, _gray, _turn_hue
from napari_tsimcne.recipe import VIEWS, Augmentations, Recipe
from napari_tsimcne.recipe._augmentations import (
    Blur,
    ChannelDrop,
    Crop,
    Flips,
    Grayscale,
    Intensity,
    Noise,
    Rotation,
    Scale,
    Shear,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def patches(channels=3, side=24, count=4):
    return torch.rand(count, channels, side, side, generator=generator(9))


def test_without_augmentation_a_view_is_the_patch():
    stored = patches(side=24)
    view = augment(stored, 16, Augmentations(), rgb=True, generator=generator())
    assert torch.allclose(view, center_crop(stored, 16), atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 8])
def test_any_number_of_channels_stays_in_range(channels):
    for recipe in (Recipe.quick(), Recipe.paper()):
        view = augment(patches(channels), 16, recipe.augmentations, False, generator())
        assert view.shape == (4, channels, 16, 16)
        assert view.min() >= 0 and view.max() <= 1


def test_views_differ_from_each_other_and_repeat_with_the_seed():
    settings = Recipe.quick(rgb=True).augmentations
    same = patches(count=1).repeat(2, 1, 1, 1)
    first = augment(same, 16, settings, True, generator(1))
    assert not torch.allclose(first[0], first[1], atol=0.01)
    assert torch.equal(first, augment(same, 16, settings, True, generator(1)))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Augmentations(flips=Flips(horizontal=1, vertical=0)), lambda p: p.flip(-1)),
        (Augmentations(flips=Flips(horizontal=0, vertical=1)), lambda p: p.flip(-2)),
        (Augmentations(flips=Flips(horizontal=1, vertical=1)), lambda p: p.flip(-1, -2)),
    ],
)
def test_flips(settings, expected):
    stored = patches(side=16)
    view = augment(stored, 16, settings, True, generator())
    assert torch.allclose(view, expected(stored), atol=1e-5)


def test_the_margin_of_a_recipe_keeps_fill_out_of_every_view():
    """A patch whose stored crop is 1 everywhere but mirrors nothing: views must not see beyond."""
    settings = Augmentations(
        rotation=Rotation(), scale=Scale(factor=(1.0, 1.2)), crop=Crop(), shear=Shear(degrees=10)
    )
    size = 20
    margin = settings.margin(size)
    stored = torch.zeros(200, 1, size + 2 * margin + 2, size + 2 * margin + 2)
    # A frame of one pixel outside the promised margin, which no view may reach.
    stored[..., 0, :] = stored[..., -1, :] = stored[..., 0] = stored[..., -1] = 1000
    view = augment(stored, size, settings, False, generator())
    assert float(view.max()) == 0


def test_rotation_turns_without_distortion():
    side = 33
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, side)] * 2, indexing="ij")
    disc = torch.exp(-8 * (x**2 + y**2)).expand(20, 1, side, side)
    view = augment(disc, side, Augmentations(rotation=Rotation()), False, generator())
    inner = slice(8, 25)
    assert torch.allclose(view[..., inner, inner], disc[..., inner, inner], atol=0.02)
    line = torch.zeros(60, 1, side, side)
    line[:, :, 16] = 1
    turned = augment(line, side, Augmentations(rotation=Rotation()), False, generator())
    assert (turned.sum(dim=(1, 2, 3)) > 20).all()
    assert turned.flatten(1).std(dim=0).max() > 0.2


def test_crops_stay_inside_the_patch_and_differ():
    ramp = torch.linspace(0, 1, 32).expand(300, 1, 32, 32)
    view = augment(ramp, 32, Augmentations(crop=Crop(area=(0.25, 0.25))), False, generator())
    means = view.mean(dim=(1, 2, 3))
    assert 0.24 < means.min() < 0.3 and 0.7 < means.max() < 0.76


def test_intensity_is_drawn_for_each_channel():
    flat = torch.full((500, 2, 4, 4), 0.5)
    settings = Augmentations(
        intensity=Intensity(gain=(0.5, 1.5), offset=(0.0, 0.0), gamma=(1.0, 1.0), probability=1)
    )
    view = augment(flat, 4, settings, False, generator())[:, :, 0, 0]
    assert view.min() >= 0.25 and view.max() <= 0.75 + 1e-6
    assert abs(np.corrcoef(view.T.numpy())[0, 1]) < 0.2


def test_colour_steps_are_those_of_torchvision():
    image = torch.rand(4, 3, 9, 9, generator=generator(3))
    for amount in (-0.1, 0.07, 0.3):
        assert torch.allclose(
            _turn_hue(image, torch.tensor(amount)), TF.adjust_hue(image, amount), atol=1e-4
        )
    assert torch.allclose(_gray(image), TF.rgb_to_grayscale(image), atol=1e-3)


def test_grayscale_makes_channels_equal():
    view = augment(
        patches(), 16, Augmentations(grayscale=Grayscale(probability=1)), True, generator()
    )
    assert torch.allclose(view[:, 0], view[:, 1]) and torch.allclose(view[:, 1], view[:, 2])


EVERYTHING = Augmentations(**{name: {"on": True} for name in Augmentations.model_fields})


def test_a_switch_turns_off_what_has_a_range():
    off = {n: {**v, "on": False} for n, v in EVERYTHING.model_dump().items()}
    stored = patches(side=16)
    view = augment(stored, 16, Augmentations(**off), True, generator())
    assert torch.allclose(view, stored, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3, 8])
def test_parts_of_a_batch_are_augmented_as_the_whole(channels):
    stored = patches(channels, count=6)
    whole = augment(stored, 16, EVERYTHING, channels == 3, generator(2))
    for indices in (torch.tensor([0, 1, 2]), torch.tensor([4, 5])):
        part = augment(stored[indices], 16, EVERYTHING, channels == 3, generator(2),
                       Share(indices, 6))  # fmt: skip
        assert torch.allclose(part, whole[indices], atol=1e-6)


def test_blur_keeps_the_sum_and_is_gaussian():
    spot = torch.zeros(3, 1, 21, 21)
    spot[:, :, 10, 10] = 1
    settings = Augmentations(blur=Blur(probability=1, sigma=(1.5, 1.5)))
    view = augment(spot, 21, settings, False, generator())
    assert torch.allclose(view.sum(dim=(1, 2, 3)), torch.ones(3), atol=1e-4)
    expected = np.exp(-0.5 / 1.5**2)
    assert float(view[0, 0, 10, 11] / view[0, 0, 10, 10]) == pytest.approx(expected, rel=1e-3)


def test_noise_has_the_deviation_asked_for():
    flat = torch.full((50, 1, 16, 16), 0.5)
    settings = Augmentations(noise=Noise(probability=1, sigma=(0.05, 0.05)))
    assert float(augment(flat, 16, settings, False, generator()).std()) == pytest.approx(
        0.05, rel=0.05
    )


def test_one_channel_is_dropped_but_never_of_rgb():
    settings = Augmentations(channel_drop=ChannelDrop(probability=1))
    bright = torch.full((40, 4, 8, 8), 0.7)
    empty = (augment(bright, 8, settings, False, generator()).amax(dim=(2, 3)) == 0).float()
    assert (empty.sum(dim=1) == 1).all() and (empty.sum(dim=0) > 0).all()
    assert augment(bright[:, :3], 8, settings, True, generator()).min() > 0.6


def test_named_sets_do_what_their_images_need():
    assert not VIEWS["fluorescence"].color_jitter.on and not VIEWS["fluorescence"].grayscale.on
    assert not VIEWS["natural"].rotation.on and VIEWS["histology"].rotation.degrees == 180
