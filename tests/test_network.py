import numpy as np
import pytest
import torch
from torchvision.models import resnet18

from napari_tsimcne import Recipe
from napari_tsimcne.errors import TrainingError
from napari_tsimcne.learning import (
    TSimCNE,
    count_parameters,
    load_weights,
    rate_factor,
    save_weights,
)
from napari_tsimcne.learning._muon import Muon, orthogonalized
from napari_tsimcne.learning._network import Whitening, start_from_pretrained
from napari_tsimcne.recipe import VIEWS, Network, Optimizer, Stage


def test_the_network_is_the_published_one():
    model = TSimCNE(3, Network(), 128)
    assert count_parameters(model.backbone) == 11_168_832
    assert model.head.hidden[0].in_features == 512 and model.head.hidden[0].out_features == 1024
    views = torch.zeros(2, 3, 32, 32)
    assert model.backbone(views).shape == (2, 512) and model(views).shape == (2, 128)


def test_any_channels_and_a_narrow_network():
    model = TSimCNE(5, Network(width=16), 2).eval()
    assert model.backbone(torch.zeros(1, 5, 17, 17)).shape == (1, 128)


def test_the_frozen_readout_stage_changes_the_readout_only():
    model = TSimCNE(1, Network(width=8, hidden=16), 128)
    torch.manual_seed(0)
    model.head.replace_readout(2)
    assert 0.5 < float(model.head.readout.weight.detach().std()) < 1.5
    model.train_part("readout")
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained == {"head.readout.weight", "head.readout.bias"}
    model.train_part("all")
    assert all(weight.requires_grad for weight in model.parameters())


def test_published_schedule_steps_by_epoch_from_zero():
    stage = Recipe.paper().stages[0]
    factors = [rate_factor(stage, epoch, 3, 7) for epoch in range(1000)]
    assert factors[0] == 0 and factors[5] == 0.5 and factors[10] == 1
    assert factors[505] == pytest.approx(0.5) and factors[999] < 1e-5
    assert rate_factor(Recipe.paper().stages[1], 0, 0, 7) == 1


def test_schedule_by_step_wastes_no_epoch():
    sgd = Optimizer(learning_rate=1)
    stage = Stage(name="a", epochs=4, output_dim=2, optimizer=sgd, warmup_epochs=1, batch_size=8)
    factors = [rate_factor(stage, e, s, 5) for e in range(4) for s in range(5)]
    assert min(factors) > 0 and max(factors) == pytest.approx(1)
    assert np.argmax(factors) in (4, 5) and factors[-1] < 0.05


@pytest.mark.parametrize("stem", ["small", "torchvision"])
@pytest.mark.parametrize("backbone", ["resnet18", "resnet34", "resnet50"])
@pytest.mark.parametrize("groups", [3, 4])
def test_every_backbone_takes_small_and_large_patches(backbone, stem, groups):
    network = Network(backbone=backbone, stem=stem, groups=groups, width=8)
    model = TSimCNE(2, network, 3).eval()
    for side in (16, 96):
        h = model.features(torch.zeros(1, 2, side, side))
        assert h.shape == (1, network.features) and model.head(h).shape == (1, 3)


@pytest.fixture(scope="module")
def torchvision_file(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(resnet18().state_dict(), path)
    return path


@pytest.mark.parametrize(
    ("stem", "channels"), [("torchvision", 3), ("torchvision", 5), ("small", 1)]
)
def test_pretrained_weights_come_from_a_file(torchvision_file, stem, channels):
    network = Network(stem=stem, pretrained=str(torchvision_file))
    model = TSimCNE(channels, network, 2)
    start_from_pretrained(model, network)
    reference = torch.load(torchvision_file, weights_only=True)
    own = model.backbone.state_dict()
    assert torch.equal(own["layer3.0.conv2.weight"], reference["layer3.0.conv2.weight"])
    if stem == "torchvision":
        stem_sum = own["conv1.weight"].sum(dim=1)
        assert torch.allclose(stem_sum, reference["conv1.weight"].sum(dim=1), atol=1e-5)
    assert float(model.mean.mean()) == pytest.approx(0.449, abs=0.001)


def test_other_weights_and_absent_files_are_refused(torchvision_file, tmp_path):
    network = Network(backbone="resnet34", pretrained=str(torchvision_file))
    with pytest.raises(TrainingError, match="does not hold a resnet34"):
        start_from_pretrained(TSimCNE(3, network, 2), network)
    network = Network(pretrained=str(tmp_path / "none.pth"))
    with pytest.raises(TrainingError, match="cannot be read"):
        start_from_pretrained(TSimCNE(3, network, 2), network)


def test_a_weights_file_that_runs_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("executed",))

    torch.save({"layer": Evil()}, tmp_path / "evil.pth")
    network = Network(pretrained=str(tmp_path / "evil.pth"))
    with pytest.raises(TrainingError, match="cannot be read"):
        start_from_pretrained(TSimCNE(3, network, 2), network)


def test_imagenet_weights_that_cannot_be_had_are_explained(monkeypatch):
    from torchvision.models import ResNet18_Weights

    def offline(*args, **options):
        raise OSError("no network")

    monkeypatch.setattr(ResNet18_Weights, "get_state_dict", offline)
    network = Network(pretrained="imagenet")
    with pytest.raises(TrainingError, match=r"could not be downloaded .* path of a file"):
        start_from_pretrained(TSimCNE(3, network, 2), network)


def test_a_frozen_backbone_stays_frozen_in_every_part(torchvision_file):
    network = Network(pretrained=str(torchvision_file), frozen_backbone=True)
    model = TSimCNE(3, network, 2)
    for part in ("all", "head", "readout"):
        model.train_part(part)
        assert not any(weight.requires_grad for weight in model.backbone.parameters())
        assert not model.train().backbone.bn1.training


def test_annealing_falls_as_published():
    stage = (
        Recipe.paper()
        .stages[0]
        .model_copy(update={"output_dim": 2, "start_dim": 128, "annealing": "cosine"})
    )
    dims = [stage.dimensions(e) for e in range(stage.epochs)]
    assert dims[0] == 128 and dims[-1] == 2 and dims == sorted(dims, reverse=True)
    assert dims[500] == int(2 + 0.5 * 127)
    held = stage.model_copy(update={"annealing": "held"})
    assert held.dimensions(660) == 128 and held.dimensions(800) == 2


# --- what H is ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("orientations", "alike"), [(1, 1), (2, 2), (4, 4), (8, 8)])
def test_features_are_the_same_for_every_orientation(orientations, alike):
    torch.manual_seed(0)
    model = TSimCNE(2, Network(groups=3, width=8, hidden=16), 2).eval()
    patch = torch.rand(1, 2, 16, 16)
    turned = [v.rot90(k, (2, 3)) for v in (patch, patch.flip(3)) for k in range(4)]
    with torch.no_grad():
        h = torch.cat([model.oriented_features(view, orientations) for view in turned])
    same = (h - h[0]).abs().amax(dim=1) < 1e-5 * h.abs().max()
    assert int(same.sum()) == alike


def test_orientations_follow_from_the_views():
    assert VIEWS["fluorescence"].orientations == VIEWS["histology"].orientations == 8
    assert VIEWS["natural"].orientations == 2
    assert Recipe.quick().orientations == 8
    assert Recipe.paper().orientations == 1


@pytest.mark.parametrize("power", [0.0, 0.75, 1.0])
def test_whitening_evens_the_variances_of_all_that_varies(power):
    random = torch.Generator().manual_seed(0)
    features = torch.randn(20_000, 32, generator=random) * torch.logspace(0, -1, 32) + 3
    features[:, -1] = 3  # a unit that never fires
    whitening = Whitening(32)
    assert torch.equal(whitening(features), features)
    whitening.fit(features, power)
    white = whitening(features)
    before, after = (torch.linalg.eigvalsh(torch.cov(v.T)) for v in (features, white))
    assert white.mean(dim=0).abs().max() < 1e-3
    assert torch.allclose(after[1:], before[1:] ** (1 - power), rtol=0.05)
    assert after[0] < 1e-3
    whitening.reset()
    assert torch.equal(whitening(features), features)


# --- weights ------------------------------------------------------------------------------------


def test_weights_come_back_and_damaged_files_are_refused(tmp_path):
    recipe = Recipe.quick()
    model = TSimCNE(2, recipe.network, 2).eval()
    save_weights(model, recipe, tmp_path / "w.safetensors")
    loaded, recipe_again = load_weights(tmp_path / "w.safetensors")
    views = torch.rand(3, 2, 16, 16)
    assert recipe_again == recipe and torch.equal(loaded.eval()(views), model(views))
    damaged = (tmp_path / "w.safetensors").read_bytes()[:-100]
    (tmp_path / "w.safetensors").write_bytes(damaged)
    with pytest.raises(TrainingError, match="no weights"):
        load_weights(tmp_path / "w.safetensors")


@pytest.mark.parametrize("shape", [(16, 9 * 8), (32, 12), (8, 8)])
def test_orthogonalized_keeps_the_axes_and_evens_their_lengths(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    before, _, axes = torch.linalg.svd(matrix, full_matrices=False)
    made = orthogonalized(matrix)
    assert torch.linalg.svdvals(made).min() > 0.5 and torch.linalg.svdvals(made).max() < 1.3
    # In the basis of the matrix's own axes nothing but the lengths changed.
    inside = before.T @ made @ axes.T
    assert torch.allclose(inside, inside.diagonal().diag(), atol=1e-4)


def test_muon_steps_have_the_length_asked_for():
    weight = torch.nn.Parameter(torch.zeros(64, 16))
    optimizer = Muon([weight], lr=0.1)
    (weight * torch.randn(64, 16, generator=torch.Generator().manual_seed(0))).sum().backward()
    optimizer.step()
    lengths = torch.linalg.svdvals(weight.detach()) / (0.1 * 2)
    assert lengths.min() > 0.5 and lengths.max() < 1.3
