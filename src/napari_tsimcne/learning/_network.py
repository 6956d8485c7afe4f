"""Backbone and head: torchvision's ResNets, with a stem for small images, and two linear layers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn
from torchvision.models import get_model_weights
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from napari_tsimcne.errors import TrainingError
from napari_tsimcne.learning._augment import center_crop
from napari_tsimcne.learning._device import (
    exactly_on_host,
    in_float32,
    memory_layout,
    principal_axes,
)
from napari_tsimcne.recipe import Network

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_BLOCKS = {
    "resnet18": (BasicBlock, [2, 2, 2, 2]),
    "resnet34": (BasicBlock, [3, 4, 6, 3]),
    "resnet50": (Bottleneck, [3, 4, 6, 3]),
}


class TSimCNE(nn.Module):
    """The network: ``backbone`` gives H (N, D), ``head`` gives Z (N, output_dim).

    Parameters
    ----------
    channels
        Input channels.
    network
        Backbone, stem and widths; its pretrained weights are loaded by `start_from_pretrained`.
    output_dim
        Outputs of the head's last layer: 128 for features, 2 or 3 for a map.
    head_layers
        Normalised hidden layers of the head; 0 for the published one.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, channels: int, network: Network, output_dim: int, head_layers: int = 0
    ) -> None:
        super().__init__()
        self.channels = channels
        self._hidden = network.hidden
        self.backbone = _resnet(channels, network)
        self.whitening = Whitening(network.features)
        self.head = Head(network.features, network.hidden, output_dim, head_layers)
        # What pretrained weights expect of their input; without them, values pass as they are.
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("std", torch.ones(1, channels, 1, 1))
        self._backbone_is_frozen = network.frozen_backbone

    def features(self, views: Tensor) -> Tensor:
        """Map views (N, C, S, S) to H (N, D)."""
        return self.whitening(self.backbone((views - self.mean) / self.std))

    def oriented_features(self, patches: Tensor, orientations: int) -> Tensor:
        """Map unchanged patches (N, C, S, S) to H (N, D), the mean over their orientations."""
        views = oriented(patches, orientations)
        return torch.stack([self.features(view) for view in views]).mean(dim=0)

    def embed(self, patches: Tensor, size: int, orientations: int) -> tuple[Tensor, Tensor]:
        """Map patches with their margin to Z (N, output_dim) and H (N, D): unchanged, in eval mode.

        The one way in which patches come onto a map, whether they were trained on or are new.
        """
        features = self.oriented_features(center_crop(patches, size), orientations)
        return self.head(features).float(), features.float()

    def forward(self, views: Tensor) -> Tensor:
        """Map views (N, C, S, S) to Z (N, output_dim)."""
        return self.head(self.features(views))

    @property
    def output_dim(self) -> int:
        """Outputs of the last layer."""
        return self.head.readout.out_features

    def replace_head(self, output_dim: int, layers: int) -> None:
        """Begin with a new head of some outputs and normalised hidden layers."""
        like = self.head.readout.weight
        self.head = Head(self.head.features, self._hidden, output_dim, layers).to(like)

    def train_part(self, part: Literal["all", "head", "readout"]) -> None:
        """Free a part of the weights and freeze the rest; a frozen backbone stays frozen."""
        self.backbone.requires_grad_(part == "all" and not self._backbone_is_frozen)
        self.head.requires_grad_(part in ("all", "head"))
        self.head.readout.requires_grad_(True)

    def train(self, mode: bool = True) -> TSimCNE:
        """Set training mode; statistics of a frozen backbone never move."""
        super().train(mode)
        if self._backbone_is_frozen:
            self.backbone.eval()
        return self


def oriented(patches: Tensor, orientations: int) -> list[Tensor]:
    """Patches as they are, and mirrored or turned by quarters: 1, 2, 4 or 8 of (N, C, S, S)."""
    views = [patches]
    if orientations >= 4:
        views = [patches.rot90(turns, (2, 3)) for turns in range(4)]
    if orientations in (2, 8):
        views += [view.flip(3) for view in views]
    layout = memory_layout(patches.device)
    return [view.contiguous(memory_format=layout) for view in views]


class Whitening(nn.Module):
    """Evens the variance of H along its principal axes; leaves H as it is until fitted.

    Contrastive features vary most along a few axes, which alone decide who is near to whom; the
    many weaker ones hold much of what tells patches apart. ``SHRINKAGE`` of the mean variance
    keeps axes that hold nothing from being blown up.
    """

    SHRINKAGE = 1e-3
    center: Tensor
    matrix: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(features))
        self.register_buffer("matrix", torch.eye(features))

    def forward(self, features: Tensor) -> Tensor:
        """Centre H (N, D) and even its axes, in float32."""
        with in_float32(features.device):
            return (features.float() - self.center) @ self.matrix

    def reset(self) -> None:
        """Leave H as it is."""
        self.center.zero_()
        self.matrix.copy_(torch.eye(len(self.matrix)))

    @torch.no_grad()
    def fit(self, features: Tensor, power: float) -> None:
        """Take centre and principal axes from H (N, D) that was not whitened.

        A variance v becomes v ** (1 - power): 0 leaves it, 1 makes the covariance 1.
        """
        values = exactly_on_host(features)
        center = values.mean(axis=0)
        variances, axes = principal_axes(values - center)
        floor = self.SHRINKAGE * max(float(variances.mean()), 1e-12)
        lengths = (variances.clip(min=0) + floor) ** (-power / 2)
        # Turned back to where H was: axes of equal variance are arbitrary, and so is every sign.
        matrix = axes * lengths @ axes.T
        self.center.copy_(torch.from_numpy(center.astype(np.float32)))
        self.matrix.copy_(torch.from_numpy(matrix.astype(np.float32)))


class Head(nn.Module):
    """H (N, D) to Z (N, output_dim): Linear, ReLU, Linear, as published; or with ``layers``.

    Those standardise H, and each is Linear, batch normalisation, ReLU.
    """

    def __init__(self, features: int, hidden: int, output_dim: int, layers: int = 0) -> None:
        super().__init__()
        self.features, self.layers = features, layers
        parts: list[nn.Module] = [nn.Linear(features, hidden), nn.ReLU()]
        if layers:
            parts = [nn.BatchNorm1d(features, affine=False)]
            for inputs in (features, *[hidden] * (layers - 1)):
                parts += [nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU()]
        self.hidden = nn.Sequential(*parts)
        self.readout = nn.Linear(hidden, output_dim)

    def forward(self, features: Tensor) -> Tensor:
        """Map H to Z."""
        return self.readout(self.hidden(features))

    def replace_readout(self, output_dim: int) -> None:
        """Draw the last layer anew for another number of outputs, weights from N(0, 1)."""
        old = self.readout
        self.readout = nn.Linear(old.in_features, output_dim).to(old.weight)
        nn.init.normal_(self.readout.weight)

    def keep_outputs(self, output_dim: int) -> None:
        """Keep the first outputs of the last layer."""
        old = self.readout
        self.readout = nn.Linear(old.in_features, output_dim).to(old.weight)
        with torch.no_grad():
            self.readout.weight.copy_(old.weight[:output_dim])
            self.readout.bias.copy_(old.bias[:output_dim])

    @torch.no_grad()
    def start_from_principal_axes(self, features: Tensor, spread: float) -> None:
        """Set the last layer to the principal axes of the hidden units of features (N, D).

        The first output gets a standard deviation of ``spread``, the others in proportion.
        """
        hidden = exactly_on_host(self.hidden(features))
        mean = hidden.mean(axis=0)
        variances, vectors = principal_axes(hidden - mean)
        axes = vectors.T[::-1][: self.readout.out_features]
        # The sign of an axis is arbitrary; fixing it makes the map the same everywhere.
        strongest = np.abs(axes).argmax(axis=1)
        axes = axes * np.sign(axes[np.arange(len(axes)), strongest])[:, None]
        axes = axes * (spread / max(float(variances[-1]), 1e-12) ** 0.5)
        self.readout.weight.copy_(torch.from_numpy(axes.astype(np.float32)))
        self.readout.bias.copy_(torch.from_numpy(-(axes @ mean).astype(np.float32)))


def _resnet(channels: int, network: Network) -> nn.Module:
    """Torchvision's ResNet without its classifier; 11,168,832 weights for small RGB images."""
    block, layers = _BLOCKS[network.backbone]
    net = ResNet(block, layers)
    width = network.width
    if network.stem == "small":
        net.conv1 = nn.Conv2d(channels, width, 3, stride=1, padding=1, bias=False)
        net.maxpool = cast(nn.MaxPool2d, nn.Identity())
    elif (channels, width) != (3, 64):
        net.conv1 = nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False)
    net.fc = cast(nn.Linear, nn.Identity())
    if width != 64:
        net.bn1 = nn.BatchNorm2d(width)
        net.inplanes = width
        for i, (count, stride) in enumerate(zip(layers, (1, 2, 2, 2), strict=True)):
            group = net._make_layer(block, width * 2**i, count, stride=stride)
            setattr(net, f"layer{i + 1}", group)
    for i in range(network.groups, 4):
        setattr(net, f"layer{i + 1}", nn.Identity())
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return net


def count_parameters(module: nn.Module) -> int:
    """Return the number of weights of a module."""
    return sum(parameter.numel() for parameter in module.parameters())


# --- pretrained weights -------------------------------------------------------------------------


@torch.no_grad()
def start_from_pretrained(model: TSimCNE, network: Network) -> None:
    """Load the backbone's weights from torchvision's ImageNet weights or a file with such.

    A stem for small images has no counterpart there and stays random. Channels other than three
    share the mean of the stem's colour channels.

    Raises
    ------
    TrainingError
        Where the weights cannot be downloaded or read, or are of another network.
    """
    weights = _imagenet(network) if network.pretrained == "imagenet" else _read(network.pretrained)
    left_out = ("fc.", *(f"layer{i + 1}." for i in range(network.groups, 4)))
    weights = {name: value for name, value in weights.items() if not name.startswith(left_out)}
    channels = model.channels
    stem = weights.get("conv1.weight")
    if network.stem == "small":
        weights.pop("conv1.weight", None)
    elif stem is not None and channels != stem.shape[1]:
        share = stem.mean(dim=1, keepdim=True) * stem.shape[1] / channels
        weights["conv1.weight"] = share.repeat(1, channels, 1, 1)
    try:
        missing, unknown = model.backbone.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise _unfit(network, str(error).split("\n")[1].strip()) from error
    missing = [name for name in missing if not (network.stem == "small" and name == "conv1.weight")]
    if missing or unknown:
        raise _unfit(network, f"missing {missing[:3]}, unknown {unknown[:3]}")
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    if channels != 3:
        mean, std = mean.mean().expand(channels), std.mean().expand(channels)
    model.mean.copy_(mean.view(1, -1, 1, 1))
    model.std.copy_(std.view(1, -1, 1, 1))


def _unfit(network: Network, what: str) -> TrainingError:
    return TrainingError(f"{network.pretrained} does not hold a {network.backbone} ({what})")


def _imagenet(network: Network) -> dict[str, Tensor]:
    try:
        return dict(get_model_weights(network.backbone)["DEFAULT"].get_state_dict(progress=False))
    except (OSError, RuntimeError) as error:
        raise TrainingError(
            f"the ImageNet weights of {network.backbone} could not be downloaded ({error}): "
            "connect this computer, or give the path of a file that holds them"
        ) from error


def _read(path: str) -> dict[str, Tensor]:
    """Tensors of a safetensors or PyTorch file; of the latter, nothing but tensors is accepted."""
    try:
        if Path(path).suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).split("\n")[0]
        raise TrainingError(f"the weights file {path} cannot be read ({reason})") from error
    if not isinstance(loaded, dict) or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise TrainingError(f"the weights file {path} does not hold named tensors")
    return loaded
