"""One stage of a training, in words for a paper."""

from __future__ import annotations

from typing import NamedTuple

from napari_tsimcne.export.methods._citations import ADAMW, BATCH_NORMALIZATION, MUON
from napari_tsimcne.export.methods._phrases import counted, number
from napari_tsimcne.recipe import Network, Stage

MUON_MOMENTUM = 0.95
"""As of the training, where it is no setting."""


class Done(NamedTuple):
    """A stage, and how many whole epochs it was trained for; None: it is not recorded."""

    stage: Stage
    epochs: int | None


def describe_stage(
    done: Done, before: Stage | None, network: Network, patches: int, where: str = ""
) -> str:
    """Describe a stage.

    Parameters
    ----------
    done
        The stage.
    before
        That before it.
    network
        What is trained.
    patches
        How many are trained on.
    where
        What its first sentence begins with.
    """
    stage = done.stage
    length = f"was trained for {counted(stage.epochs, 'epoch')}"
    if done.epochs is None:
        length = f"was to be trained for {counted(stage.epochs, 'epoch')}"
    elif done.epochs < stage.epochs:
        whole = counted(done.epochs, "whole epoch") if done.epochs else "less than 1 epoch"
        length = f"was trained for {whole} of {stage.epochs:,} planned"
    passes = stage.passes(patches)
    if passes > 1:
        length += f" of {passes:,} passes over the patches"
    similarity = "the Cauchy kernel" if stage.loss == "cauchy" else "cosine similarity"
    first = (
        f"{where}{_trained(stage, before, network)} {length} with {similarity}, "
        f"{counted(stage.output_dim, 'output')} and batches of "
        f"{counted(min(stage.batch_size, patches), 'pair')}{_annealing(stage)}."
    )
    return " ".join([first[0].upper() + first[1:], *_pairs(stage), _optimizer(stage, network)])


def _trained(stage: Stage, before: Stage | None, network: Network) -> str:
    outputs = stage.start_dim or stage.output_dim
    renewed = before is not None and outputs != before.output_dim
    if stage.head_layers:
        layers = counted(stage.head_layers, "hidden layer")
        return (
            f"a new head of {layers} of {counted(network.hidden, 'unit')} with batch normalisation "
            f"({BATCH_NORMALIZATION.cited}) and ReLU, behind standardised H,"
        )
    part = {"all": "the whole network", "head": "the head", "readout": "the last layer"}
    what = part[stage.trains]
    if stage.trains == "all" and network.frozen_backbone:
        what = part["head"]
    if not renewed or stage.cached:
        return what
    which = "" if stage.trains == "readout" else "its last layer "
    return f"{what}, {which}drawn anew from a normal distribution,"


def _annealing(stage: Stage) -> str:
    if stage.annealing == "none":
        return ""
    how = (
        "along half a cosine"
        if stage.annealing == "cosine"
        else "after two thirds of the epochs, during an eighth of them"
    )
    return f", the number of outputs in the loss falling from {stage.start_dim} {how}"


def _pairs(stage: Stage) -> list[str]:
    """Say what pairs were made of where it is not two views as the network is trained."""
    if not stage.cached:
        return []
    said = []
    if stage.neighbors:
        said.append(
            "H was computed once of each unchanged patch, and a pair was made of a patch and one "
            f"of its {stage.neighbors} nearest neighbours in H by cosine similarity, drawn at "
            "random."
        )
    else:
        said.append(
            f"H was computed once of up to {counted(stage.cached_views, 'view')} of each patch, "
            "two of which made a pair."
        )
    if stage.whitening:
        said.append(
            "Before that, the variances v of H along its principal axes were evened to "
            f"v^{number(1 - stage.whitening)}."
            if stage.whitening < 1
            else "Before that, H was whitened."
        )
    said.append("The last layer began with the principal axes of its inputs.")
    return said


def _optimizer(stage: Stage, network: Network) -> str:
    settings = stage.optimizer
    decay = [f"weight decay {number(settings.weight_decay)}"] if settings.weight_decay else []
    rate = f"learning rate {number(settings.rate(stage.batch_size))}"
    if settings.method == "sgd":
        momentum = [f"momentum {number(settings.momentum)}"] if settings.momentum else []
        how = f"stochastic gradient descent ({', '.join([rate, *momentum, *decay])})"
    else:
        how = f"AdamW ({ADAMW.cited}; {', '.join([rate, *decay])})"
    if settings.method == "muon" and stage.trains == "all" and not network.frozen_backbone:
        details = [f"learning rate {number(settings.muon_rate)}",
                   f"momentum {number(MUON_MOMENTUM)}", *decay]  # fmt: skip
        muon = f"Muon ({MUON.cited}; {', '.join(details)})"
        how = f"{muon} for the filters of convolutions and {how} for all other weights"
    step = "epoch" if stage.schedule == "epoch" else "step"
    warmup = stage.warmup_epochs
    first = "epoch" if warmup == 1 else f"{number(warmup)} epochs"
    rise = f"rose linearly during the first {first} and then fell" if warmup else "fell"
    return (
        f"The optimiser was {how}; the learning rate {rise} to 0 as a cosine, set at every {step}."
    )
