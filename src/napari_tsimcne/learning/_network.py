"""Backbone and head: torchvision's ResNet18 with a stem for small images, and two linear layers."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, ResNet

from napari_tsimcne.recipe import Network


class TSimCNE(nn.Module):
    """The network: ``backbone`` gives H (N, 8 x width), ``head`` gives Z (N, output_dim).

    Parameters
    ----------
    channels
        Input channels.
    network
        Widths.
    output_dim
        Outputs of the head's last layer: 128 for features, 2 for a map.
    """

    def __init__(self, channels: int, network: Network, output_dim: int) -> None:
        super().__init__()
        self.backbone = _small_image_resnet18(channels, network.width)
        self.hidden = nn.Sequential(nn.Linear(8 * network.width, network.hidden), nn.ReLU())
        self.readout = nn.Linear(network.hidden, output_dim)

    def forward(self, views: Tensor) -> Tensor:
        """Map views (N, C, S, S) to Z (N, output_dim)."""
        return self.readout(self.hidden(self.backbone(views)))

    def replace_readout(self, output_dim: int) -> None:
        """Draw the last layer anew for another number of outputs, weights from N(0, 1)."""
        old = self.readout
        self.readout = nn.Linear(old.in_features, output_dim).to(old.weight)
        nn.init.normal_(self.readout.weight)

    @property
    def output_dim(self) -> int:
        """Outputs of the last layer."""
        return self.readout.out_features

    def train_only_readout(self, readout_only: bool) -> None:
        """Freeze everything but the last layer, or free everything."""
        self.requires_grad_(not readout_only)
        self.readout.requires_grad_(True)


def _small_image_resnet18(channels: int, width: int) -> nn.Module:
    """ResNet18 with a 3x3 stem of stride 1 and no max-pool; 11,168,832 parameters at width 64."""
    net = ResNet(BasicBlock, [2, 2, 2, 2])
    net.conv1 = nn.Conv2d(channels, width, 3, stride=1, padding=1, bias=False)
    net.maxpool = cast(nn.MaxPool2d, nn.Identity())
    net.fc = cast(nn.Linear, nn.Identity())
    if width != 64:
        net.bn1 = nn.BatchNorm2d(width)
        net.inplanes = width
        net.layer1 = net._make_layer(BasicBlock, width, 2)
        net.layer2 = net._make_layer(BasicBlock, 2 * width, 2, stride=2)
        net.layer3 = net._make_layer(BasicBlock, 4 * width, 2, stride=2)
        net.layer4 = net._make_layer(BasicBlock, 8 * width, 2, stride=2)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return net


def count_parameters(module: nn.Module) -> int:
    """Return the number of weights of a module."""
    return sum(parameter.numel() for parameter in module.parameters())


@torch.no_grad()
def start_readout_from_pca(model: TSimCNE, hidden: Tensor, spread: float) -> None:
    """Set the last layer to the leading principal axes of ``hidden`` (N, units).

    The first output gets a standard deviation of ``spread``, the others in proportion.
    """
    mean = hidden.mean(dim=0)
    centred = (hidden - mean).double()
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(hidden))
    axes = vectors.flip(1).T[: model.output_dim]
    # The sign of an axis is arbitrary; fixing it makes the map the same everywhere.
    strongest = axes.abs().argmax(dim=1, keepdim=True)
    axes = axes * axes.gather(1, strongest).sign()
    axes = axes * (spread / values[-1].clamp_min(1e-12).sqrt())
    model.readout.weight.copy_(axes)
    model.readout.bias.copy_(-(axes.to(mean) @ mean))
