"""How the map is learnt: augmentation, network, loss, stages. No tables, no windows."""

from napari_tsimcne.learning._arithmetic import Pins
from napari_tsimcne.learning._augment import augment, center_crop
from napari_tsimcne.learning._checkpoint import Checkpoint
from napari_tsimcne.learning._device import choose_device, describe_device
from napari_tsimcne.learning._embedder import Embedder, Familiarity
from napari_tsimcne.learning._estimate import estimate, find_devices
from napari_tsimcne.learning._loss import cauchy_info_nce, cosine_info_nce
from napari_tsimcne.learning._network import TSimCNE, count_parameters
from napari_tsimcne.learning._patch_set import Scaling
from napari_tsimcne.learning._preview import preview
from napari_tsimcne.learning._schedule import rate_factor
from napari_tsimcne.learning._trainer import Trainer
from napari_tsimcne.learning._usage import peak_device_bytes, peak_host_bytes, versions
from napari_tsimcne.learning._weights import load_weights, save_weights

__all__ = [
    "Checkpoint",
    "Embedder",
    "Familiarity",
    "Pins",
    "Scaling",
    "TSimCNE",
    "Trainer",
    "augment",
    "cauchy_info_nce",
    "center_crop",
    "choose_device",
    "cosine_info_nce",
    "count_parameters",
    "describe_device",
    "estimate",
    "find_devices",
    "load_weights",
    "peak_device_bytes",
    "peak_host_bytes",
    "preview",
    "rate_factor",
    "save_weights",
    "versions",
]
