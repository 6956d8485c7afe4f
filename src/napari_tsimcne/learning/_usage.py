"""What a training run used: versions of libraries, and memory."""

from __future__ import annotations

import platform
import sys

import numpy as np
import torch
import torchvision

from napari_tsimcne import __version__


def versions() -> dict[str, str]:
    """Versions of what a map depends on."""
    return {
        "napari-tsimcne": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "numpy": np.__version__,
    }


def peak_host_bytes() -> int:
    """Peak resident memory of this process; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def peak_device_bytes() -> int:
    """Peak memory that tensors took on a CUDA device; 0 without one."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
