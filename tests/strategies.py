"""What property-based tests draw."""

from hypothesis import strategies as st

from napari_tsimcne.recipe import Augmentations


def any_augmentations() -> st.SearchStrategy[Augmentations]:
    """Any that a recipe may hold, also beyond where the sliders of the window go."""
    one = st.floats(0, 1)
    positive = st.floats(0.01, 20)

    def ranges(numbers):
        return st.tuples(numbers, numbers).map(lambda pair: tuple(sorted(pair)))

    fields = {
        "crop": {"area": ranges(st.floats(0.001, 1)), "aspect": ranges(positive)},
        "scale": {"factor": ranges(positive)},
        "rotation": {"degrees": st.floats(0, 180)},
        "shear": {"degrees": st.floats(0, 45)},
        "flips": {"horizontal": one, "vertical": one},
        "intensity": {
            "probability": one, "gain": ranges(positive), "offset": ranges(st.floats(-2, 2)),
            "gamma": ranges(positive),
        },
        "color_jitter": {
            "probability": one, "brightness": one, "contrast": one, "saturation": one,
            "hue": st.floats(0, 0.5),
        },
        "grayscale": {"probability": one},
        "channel_drop": {"probability": one},
        "blur": {"probability": one, "sigma": ranges(st.floats(0.001, 10))},
        "noise": {"probability": one, "sigma": ranges(st.floats(0, 2))},
    }  # fmt: skip
    each = {
        name: st.fixed_dictionaries({"on": st.booleans(), **values})
        for name, values in fields.items()
    }
    return st.fixed_dictionaries(each).map(Augmentations.model_validate)
