import re

import numpy as np
import pandas as pd
import pytest
from making import make_tiny_run, mapped

from napari_tsimcne import Grid, ImageSource, InputError, Objects, Recipe, Run
from napari_tsimcne.events import EpochEnded, Finished, Prepared, RolledBack
from napari_tsimcne.explore import Origin
from napari_tsimcne.export._excerpt import Excerpt
from napari_tsimcne.export.methods._methods import export_methods, methods_text
from napari_tsimcne.recipe import (
    PRESETS,
    VIEWS,
    Augmentations,
    Background,
    Depth,
    Network,
    Points,
)
from napari_tsimcne.recipe._augmentations import Blur, ChannelDrop, Noise, Rotation, Scale, Shear
from napari_tsimcne.runs import open_exploration


def image(channels=2, dtype=np.uint16, name="field", **options):
    random = np.random.default_rng(0)
    shape = (channels, 64, 64) if channels != 3 else (64, 64, 3)
    pixels = random.integers(0, 200, shape).astype(dtype)
    axes = "YXS" if channels == 3 else "CYX"
    return ImageSource.from_array(pixels, axes, name=name, **options)


def make(tmp_path, recipe=None, images=None, **options):
    recipe = recipe or Recipe.quick(Grid(size=16), batch_size=4)
    run = Run.create(tmp_path / "run", images or [image()], recipe, **options)
    return mapped(run)


def write_events(run, *events):
    lines = [event.model_dump_json() for event in events]
    (run.folder / "events.jsonl").write_text("\n".join(lines) + "\n")


def labels(name="field"):
    numbers = np.zeros((64, 64), np.uint16)
    for i in range(9):
        y, x = 10 + 20 * (i // 3), 10 + 20 * (i % 3)
        numbers[y - 3 : y + 4, x - 3 : x + 4] = i + 1
    return {name: ImageSource.from_array(numbers, "YX", name="labels")}


# --- nothing but facts ----------------------------------------------------------------------------


@pytest.mark.parametrize("views", VIEWS)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_told_in_words_and_numbers(tmp_path, preset, views):
    recipe = PRESETS[preset](Grid(size=16), batch_size=4, views=views)
    text = methods_text(make(tmp_path, recipe))
    assert not re.search(r"\b(None|nan|inf|True|False)\b|  |\(\)|\{|\. ,|,\.|\.\.", text)
    assert not re.search(r"\b1 (image|patch|channel|epoch|stage|output|pair)e?s\b", text)
    for stage in recipe.running_stages:
        assert f"{stage.epochs:,} epoch" in text
        assert f"{stage.output_dim} outputs" in text


@pytest.mark.parametrize("preset", PRESETS)
def test_only_what_was_used_is_cited(tmp_path, preset):
    recipe = PRESETS[preset](Grid(size=16), batch_size=4)
    body, references = methods_text(make(tmp_path, recipe)).split("\n\nReferences\n\n")
    optimizers = {stage.optimizer.method for stage in recipe.running_stages}
    used = {
        "Böhm": True,
        "Chen": any(stage.loss == "cosine" for stage in recipe.running_stages),
        "Jordan": "muon" in optimizers,
        "Loshchilov": bool(optimizers & {"muon", "adamw"}),
        "Ioffe": any(stage.head_layers for stage in recipe.running_stages),
        "Deng": False,
        "Otsu": False,
        "van der Walt": False,
    }
    for author, is_used in used.items():
        assert (f"- {author}, " in references) == (f"({author} " in body) == is_used, author
    assert len(references.splitlines()) == len(set(references.splitlines()))


def test_each_reference_is_cited_in_the_text(tmp_path):
    network = Network(pretrained="imagenet")
    recipe = Recipe.quick(
        Grid(size=16), batch_size=4, network=network, background=Background(method="otsu")
    )
    body, references = methods_text(make(tmp_path, recipe)).split("\n\nReferences\n\n")
    for line in references.splitlines():
        first = line.removeprefix("- ").split(",")[0].split(" (")[0]
        year = re.search(r"\((\d{4})\)", line)[1]
        assert re.search(rf"{first}[^;()]*, {year}", body), line


# --- what was cut ---------------------------------------------------------------------------------


def test_images_are_described(tmp_path):
    images = [
        image(name=name, channel_names=("DNA", "actin"), pixel_size=(0.5, 0.5), unit="µm")
        for name in "ab"
    ]
    text = methods_text(make(tmp_path, images=images))
    assert text.startswith(
        "2 images (16-bit) with 2 channels (DNA, actin), with a pixel size of 0.5 µm, were analysed"
    )
    assert "Square patches of 16 × 16 pixels (8 × 8 µm) were cut on a regular grid" in text
    assert "This gave 32 patches" in text


def test_one_rgb_image_is_one(tmp_path):
    text = methods_text(make(tmp_path, images=[image(3, np.uint8)]))
    assert text.startswith("1 RGB image (8-bit) was analysed.")
    assert "pixel size" not in text and "for 3 input channels" in text


@pytest.mark.parametrize(
    ("patches", "said"),
    [
        (Grid(size=16), "side by side; those that reached beyond the image were dropped."),
        (Grid(size=16, stride=8, edges="pad"), "with a step of 8 pixels; where they reached"),
        (Grid(size=16, offset=(2, 3)), "began 2 pixels from the top and 3 from the left"),
        (Grid(size=32, pixels=16, stride=8), "They were resampled to 16 × 16 pixels."),
    ],
)
def test_grids_are_described(tmp_path, patches, said):
    text = methods_text(make(tmp_path, Recipe.quick(patches, batch_size=4)))
    assert said in text
    assert ("resampled to" in text) == (patches.size != patches.pixels)


def test_windows_in_micrometres_are_described(tmp_path):
    images = [image(pixel_size=(0.25, 0.25), unit="µm")]
    recipe = Recipe.quick(Grid(size=4, unit="µm", pixels=8), batch_size=4)
    text = methods_text(make(tmp_path, recipe, images))
    assert "patches of 4 × 4 µm were cut" in text and "resampled to 8 × 8 pixels" in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "around the centroid of each object of a label image"),
        ({"surroundings": "dim", "dimming": 0.25}, "dimmed to 25 % of their value"),
        ({"surroundings": "mask"}, "pixels outside the object were set to 0"),
    ],
)
def test_objects_are_described(tmp_path, options, said):
    recipe = Recipe.quick(Objects(size=16, **options), batch_size=4)
    text = methods_text(make(tmp_path, recipe, labels=labels()))
    assert said in text and "This gave 9 patches" in text
    assert "van der Walt" in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"border": True}, ""),
        ({}, "Objects that touched the border of an image were left out."),
        ({"border": True, "least_area": 30}, "Objects that had less than 30 pixels were left out."),
        ({"least_area": 30},
         "Objects that touched the border of an image or had less than 30 pixels were left out."),
    ],
)  # fmt: skip
def test_objects_that_were_not_counted_are_left_out_by_rule(tmp_path, options, said):
    run = make(tmp_path, Recipe.quick(Objects(size=16, **options), batch_size=4), labels=labels())
    run.info = run.info.model_copy(update={"objects_left_out": (0, 0)})
    text = methods_text(run)
    assert said in text and ("left out" in text) == bool(said)


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        ((1, 0), "1 object at the border of an image was left out."),
        ((0, 2), "2 objects of less than 30 pixels were left out."),
        ((3, 1), "3 objects at the border of an image and 1 object of less than 30 pixels were"),
    ],
)
def test_objects_left_out_are_counted(tmp_path, left_out, said):
    recipe = Recipe.quick(Objects(size=16, least_area=30), batch_size=4)
    run = make(tmp_path, recipe, labels=labels())
    run.info = run.info.model_copy(update={"objects_left_out": left_out})
    assert said in methods_text(run)


def test_points_are_described(tmp_path):
    points = pd.DataFrame({"image": "field", "t": 0, "z": 0, "y": np.arange(10.0, 50), "x": 30.0})
    recipe = Recipe.quick(Points(size=16), batch_size=4)
    text = methods_text(make(tmp_path, recipe, points=points))
    assert "around each point of a list of positions" in text and "This gave 40 patches" in text
    assert "grid" not in text


def test_the_background_filter_is_described(tmp_path):
    pixels = np.zeros((1, 64, 64), np.uint8)
    pixels[:, :, 32:] = np.random.default_rng(0).integers(100, 200, (1, 64, 32))
    source = ImageSource.from_array(pixels, "CYX", name="half", channel_names=("DNA",))
    background = Background(method="otsu", least_foreground=0.2)
    recipe = Recipe.quick(Grid(size=16), batch_size=4, background=background)
    run = make(tmp_path, recipe, [source])
    threshold = run.info.background_thresholds["DNA"]
    text = methods_text(run)
    assert "at least 20 % of their pixels" in text and f"DNA: {threshold:.4g})" in text
    assert "8 windows were left out." in text and "(Otsu, 1979" in text
    assert "Otsu" not in methods_text(make(tmp_path / "plain"))


@pytest.mark.parametrize(
    ("depth", "said"),
    [
        (Depth(), "Every optical section was treated"),
        (Depth(method="max"), "maximum-intensity projection"),
        (Depth(method="mean"), "mean projection"),
        (Depth(method="plane", plane=1), "number 2 was used"),
    ],
)
def test_the_use_of_depth_is_told(tmp_path, depth, said):
    pixels = np.random.default_rng(0).integers(0, 99, (3, 64, 64)).astype(np.uint8)
    stack = ImageSource.from_array(pixels, "ZYX", name="stack")
    recipe = Recipe.quick(Grid(size=16), batch_size=4, depth=depth)
    assert said in methods_text(make(tmp_path, recipe, [stack]))
    assert said not in methods_text(make(tmp_path / "flat"))


@pytest.mark.parametrize(
    ("method", "dtype", "said"),
    [
        ("percentile", np.uint16, "its 0.1 % and 99.9 % quantiles over the patches of all images"),
        ("image", np.uint16, "scaled linearly for each image on its own"),
        ("none", np.uint8, "from the range of their data type (0–255) to 0 to 1"),
        ("none", np.float32, "the smallest and the largest over the patches of all images"),
    ],
)
def test_normalization_is_described(tmp_path, method, dtype, said):
    recipe = Recipe.quick(Grid(size=16), batch_size=4, normalization=method)
    assert said in methods_text(make(tmp_path, recipe, [image(dtype=dtype)]))


# --- what was learnt ------------------------------------------------------------------------------


def test_views_are_told_with_their_ranges(tmp_path):
    views = Augmentations(
        scale=Scale(factor=(0.5, 2)), rotation=Rotation(degrees=45), shear=Shear(degrees=4),
        channel_drop=ChannelDrop(probability=0.3), blur=Blur(sigma=(0.5, 0.5)),
        noise=Noise(probability=1),
    )  # fmt: skip
    recipe = Recipe.quick(Grid(size=16), batch_size=4, augmentations=views)
    text = methods_text(make(tmp_path, recipe))
    for said in (
        "by a factor of 0.5–2", "rotation by up to ±45°", "shearing by up to ±4°",
        "one channel set to 0 (probability 0.3)", "standard deviation of 0.5 pixels",
        "Gaussian noise with a standard deviation of 0–0.03 of the range of values.",
    ):  # fmt: skip
        assert said in text
    assert "flips" not in text and "crop of" not in text and "gain" not in text


def test_what_an_image_does_not_take_is_not_told(tmp_path):
    views = VIEWS["natural"].model_copy(update={"channel_drop": ChannelDrop()})
    recipe = Recipe.quick(Grid(size=16), batch_size=4, augmentations=views)
    color = methods_text(make(tmp_path / "rgb", recipe, [image(3, np.uint8)]))
    assert "hue" in color and "grey" in color and "channel set to 0" not in color
    other = methods_text(make(tmp_path / "two", recipe))
    assert "brightness" in other and "channel set to 0" in other
    assert not re.search("hue|saturation|grey", other)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (Network(), "ResNet-18"),
        (Network(backbone="resnet50", stem="torchvision"), "standard stem (7 × 7"),
        (Network(groups=2, width=16), "the first 2 of its 4 groups"),
        (Network(pretrained="imagenet"), "but for the stem, which was initialised at random"),
        (Network(pretrained="imagenet", stem="torchvision"), "trained on ImageNet (Deng"),
        (Network(pretrained="/home/someone/secret.pt"), "from an earlier training"),
        (Network(pretrained="imagenet", frozen_backbone=True), "kept as they were"),
    ],
)
def test_networks_are_described(tmp_path, network, said):
    recipe = Recipe.quick(Grid(size=16), batch_size=4, network=network)
    text = methods_text(make(tmp_path, recipe))
    assert said in text and f"features H of {network.features} dimensions" in text
    assert "someone" not in text
    assert ("Weights were initialised at random" in text) == (not network.pretrained)
    # A frozen backbone has no filters that Muon could train.
    assert ("Muon" in text) == (not network.frozen_backbone)


def test_the_published_recipe_is_told_as_published(tmp_path):
    text = methods_text(make(tmp_path, Recipe.paper(Grid(size=16), batch_size=16)))
    assert "learning rate 0.001875, momentum 0.9, weight decay 0.0005" in text
    assert "learning rate 1.875 × 10⁻⁶" in text
    assert "the last layer, drawn anew from a normal distribution, was trained for 50" in text
    assert text.count("drawn anew from") == 1
    assert "rose linearly during the first 10 epochs" in text and "set at every epoch" in text
    assert "held out" not in text and "float32" in text and "τ" not in text


# --- what is recorded of the training -------------------------------------------------------------

PREPARED = Prepared(patches=16, parameters=1234567, device="CPU, 2 threads", precision="bfloat16")


def test_the_machine_is_told_where_it_is_recorded(tmp_path):
    run = make(tmp_path)
    assert "CPU" not in methods_text(run)
    rolled_back = RolledBack(reason="the loss became nan", rate_scale=0.3)
    write_events(run, PREPARED, rolled_back, Finished(stopped=False, seconds=125))
    text = methods_text(run)
    assert "took 2 min 5 s on a CPU with 2 threads, in bfloat16." in text
    assert "1,234,567 parameters" in text and "multiplied by 0.3" in text and " nan" not in text
    # A training that has begun anew since made no map.
    write_events(run, PREPARED)
    assert "CPU" not in methods_text(run)


def test_a_stopped_training_is_told_as_far_as_it_went(tmp_path):
    run = make(tmp_path)
    run.info = run.info.model_copy(update={"state": "stopped"})
    planned = methods_text(run)
    assert "stopped before its end" in planned and "was to be trained for 20 epochs" in planned
    ended = [EpochEnded(stage="features", epoch=i, epochs=20, loss=1.0) for i in (1, 2, 3)]
    short = EpochEnded(stage="map", epoch=30, epochs=30, loss=1.0)
    write_events(run, PREPARED, *ended, short, Finished(stopped=True, seconds=5))
    text = methods_text(run)
    assert "trained for 3 whole epochs of 20 planned" in text and "trained for 30 epochs" in text
    assert "100 epochs" not in text
    write_events(run, PREPARED, short, Finished(stopped=True, seconds=5))
    text = methods_text(run)
    assert "trained for less than 1 epoch of 20 planned" in text and "2 stages" in text


def test_versions_are_those_the_map_was_learnt_with(tmp_path):
    run = make(tmp_path)
    versions = {"napari-tsimcne": "9.8", "torch": "2.4.1", "python": "3.12.1"}
    run.info = run.info.model_copy(update={"versions": versions})
    text = methods_text(run)
    assert "napari-tsimcne 9.8" in text and "PyTorch (2.4.1; Paszke et al., 2019)" in text
    assert "Python (3.12.1)" in text


def test_a_run_without_a_map_has_learnt_nothing(tiny_run):
    text = methods_text(tiny_run, open_exploration(tiny_run))
    assert "t-SimCNE" not in text and "ResNet" not in text and "This gave 81 patches" in text


# --- clusters, files ------------------------------------------------------------------------------


def test_it_is_said_how_clusters_were_made(tmp_path):
    run = mapped(make_tiny_run(tmp_path / "run"))
    exploration = open_exploration(run)
    halves = np.arange(81) % 4
    exploration.clusters.replace(halves, origin=Origin(method="k-means", size=4))
    text = methods_text(run, exploration)
    assert (
        "4 clusters of patches were defined (by k-means (k = 4) on the map (Lloyd, 1982)): " in text
    )
    assert "- Lloyd, S. P. (1982)" in text
    exploration.clusters.create(halves == 0, "mine")
    text = methods_text(run, exploration)
    assert "(Lloyd, 1982); 1 by hand): " in text and "edited" not in text, (
        "the empty one is no more"
    )
    exploration.clusters.assign(2, np.arange(81) == 2)
    assert "(Lloyd, 1982), 2 of these then edited by hand; 1 by hand" in methods_text(
        run, exploration
    )


def test_clusters_are_named_with_their_sizes(tmp_path):
    run = make(tmp_path)
    exploration = open_exploration(run)
    assert "cluster" not in methods_text(run, exploration)
    first = np.arange(16) < 1
    exploration.clusters.create(first, "round cells")
    text = methods_text(run, exploration)
    assert (
        "1 cluster of patches was defined (by hand): 'round cells' (1 patch); 15 patches were un"
        in text
    )
    exploration.clusters.create(~first, "others")
    text = methods_text(run, exploration)
    assert (
        "2 clusters of patches were defined (by hand): 'round cells' (1 patch) and 'others' (15"
        in text
    )
    assert "in none" not in text


@pytest.mark.parametrize("suffix", [".md", ".txt"])
def test_the_file_holds_the_text(tmp_path, suffix):
    run = make(tmp_path)
    exploration = open_exploration(run)
    exploration.clusters.create(np.arange(16) < 3, "<b>*x*</b>")
    path = tmp_path / f"methods{suffix}"
    export_methods(Excerpt.all(run, exploration), path)
    text = path.read_text(encoding="utf-8")
    if suffix == ".md":
        assert text.startswith("## Methods\n\n") and "\n\n## References\n\n- Böhm" in text
        assert r"\<b\>\*x\*\</b\>" in text and "<b>" not in text
    else:
        assert text == methods_text(run, exploration) + "\n"
    with pytest.raises(InputError, match="exists"):
        export_methods(Excerpt.all(run, exploration), path)
    with pytest.raises(InputError, match=r"must end in \.md or \.txt"):
        export_methods(Excerpt.all(run, exploration), tmp_path / "methods.doc")
