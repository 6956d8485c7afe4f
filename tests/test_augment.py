import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as TF

from napari_tsimcne.learning import augment, center_crop
from napari_tsimcne.learning._augment import _gray, _turn_hue
from napari_tsimcne.recipe import Augmentations, Recipe


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
        (Augmentations(flip_horizontal=1), lambda p: p.flip(-1)),
        (Augmentations(flip_vertical=1), lambda p: p.flip(-2)),
        (Augmentations(flip_horizontal=1, flip_vertical=1), lambda p: p.flip(-1, -2)),
    ],
)
def test_flips(settings, expected):
    stored = patches(side=16)
    view = augment(stored, 16, settings, True, generator())
    assert torch.allclose(view, expected(stored), atol=1e-5)


def test_the_margin_of_a_recipe_keeps_fill_out_of_every_view():
    """A patch whose stored crop is 1 everywhere but mirrors nothing: views must not see beyond."""
    settings = Augmentations(rotation=180, scale=(1.0, 1.2), crop_area=(0.6, 1.0))
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
    view = augment(disc, side, Augmentations(rotation=180), False, generator())
    inner = slice(8, 25)
    assert torch.allclose(view[..., inner, inner], disc[..., inner, inner], atol=0.02)
    line = torch.zeros(60, 1, side, side)
    line[:, :, 16] = 1
    turned = augment(line, side, Augmentations(rotation=180), False, generator())
    assert (turned.sum(dim=(1, 2, 3)) > 20).all()
    assert turned.flatten(1).std(dim=0).max() > 0.2


def test_crops_stay_inside_the_patch_and_differ():
    ramp = torch.linspace(0, 1, 32).expand(300, 1, 32, 32)
    view = augment(ramp, 32, Augmentations(crop_area=(0.25, 0.25)), False, generator())
    means = view.mean(dim=(1, 2, 3))
    assert 0.24 < means.min() < 0.3 and 0.7 < means.max() < 0.76


def test_intensity_is_drawn_for_each_channel():
    flat = torch.full((500, 2, 4, 4), 0.5)
    settings = Augmentations(gain=(0.5, 1.5), intensity_probability=1)
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
    view = augment(patches(), 16, Augmentations(grayscale_probability=1), True, generator())
    assert torch.allclose(view[:, 0], view[:, 1]) and torch.allclose(view[:, 1], view[:, 2])
