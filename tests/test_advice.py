"""What is said of a choice of views."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import any_augmentations

from napari_tsimcne.recipe import VIEWS, Augmentations
from napari_tsimcne.recipe._advice import advice

BRIGHTNESS = "differ in brightness alone will not separate"


def told(rgb=False, channels=1, **settings):
    return " ".join(advice(Augmentations.model_validate(settings), rgb, channels))


@given(any_augmentations(), st.sampled_from([(True, 3), (False, 1), (False, 5)]))
def test_sentences_are_short_whole_and_told_once(augmentations, image):
    sentences = advice(augmentations, *image)
    assert all(len(text) < 140 and text[0].isupper() and text[-1] == "." for text in sentences)
    assert len(set(sentences)) == len(sentences)


@pytest.mark.parametrize(
    ("settings", "image", "words"),
    [
        ({"intensity": {"on": True}}, (False, 1), BRIGHTNESS),
        ({"intensity": {"on": True}}, (False, 2), "ratio of channels"),
        ({"color_jitter": {"on": True}}, (True, 3), BRIGHTNESS),
        ({"color_jitter": {"on": True}}, (True, 3), "depth of their stain alone"),
        ({"color_jitter": {"on": True, "hue": 0.1}}, (True, 3), "up to 36°"),
        ({"grayscale": {"on": True}}, (True, 3), "taken from 10 % of the views"),
        ({"channel_drop": {"on": True}}, (False, 2), "left out of 20 % of the views"),
        ({"blur": {"on": True}}, (False, 1), "sharp and blurred cells will not separate"),
        ({"noise": {"on": True}}, (False, 1), "fainter than it will be overlooked"),
        ({"flips": {"on": True}}, (False, 1), "left-handed and right-handed"),
        ({"scale": {"on": True}}, (False, 1), "differ in size alone"),
        ({"crop": {"on": True, "area": (0.25, 1)}}, (False, 1), "up to 2.0 times"),
        ({"crop": {"on": True, "aspect": (0.5, 1)}}, (False, 1), "round and elongated"),
        ({"shear": {"on": True, "degrees": 20}}, (False, 1), "round and elongated"),
        ({"rotation": {"on": True, "degrees": 30}}, (False, 1), "at most 30°"),
    ],
)
def test_each_choice_that_decides_biology_is_told_where_it_is_on(settings, image, words):
    assert words in told(*image, **settings)
    off = {name: {**values, "on": False} for name, values in settings.items()}
    assert words not in told(*image, **off)


@pytest.mark.parametrize(
    ("settings", "image", "words"),
    [
        ({"intensity": {"on": True, "probability": 0}}, (False, 1), BRIGHTNESS),
        ({"color_jitter": {"on": True, "brightness": 0}}, (True, 3), BRIGHTNESS),
        ({"color_jitter": {"on": True, "hue": 0.1}}, (False, 2), "stain"),
        ({"grayscale": {"on": True}}, (False, 3), "Colour"),
        ({"channel_drop": {"on": True}}, (True, 3), "left out"),
        ({"channel_drop": {"on": True}}, (False, 1), "left out"),
        ({"crop": {"on": True}}, (False, 1), "size"),
    ],
)
def test_what_changes_nothing_or_little_is_not_told(settings, image, words):
    assert words not in told(*image, **settings)


def test_direction_matters_unless_views_are_turned_enough():
    assert "different directions will separate" in told(flips={"on": True})
    assert "directions" not in told(rotation={"on": True})


def test_a_map_that_cannot_be_learnt_is_told_first():
    assert told().startswith("Nothing is varied, so no map can be learnt")
    assert told(crop={"on": True, "area": (1, 1)}) == told()
    values_only = told(intensity={"on": True})
    assert values_only.startswith("Only values are varied, which is too little")
    assert BRIGHTNESS in values_only
    for augmentations in VIEWS.values():
        assert "learn" not in " ".join(advice(augmentations, False, 1))


def test_brightness_that_is_not_varied_is_told_to_keep_differences_between_images():
    words = "exposure or stain between images"
    assert words in told(crop={"on": True})
    assert words not in told(crop={"on": True}, intensity={"on": True})
