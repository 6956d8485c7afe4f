"""What every figure is recorded with."""

import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from napari_tsimcne import __version__


def machine(*packages: str) -> dict:
    """Return what a figure depends on; versions of torch and of further packages."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        cpu = next(line.split(": ")[1] for line in info.read_text().splitlines()
                   if line.startswith("model name"))  # fmt: skip
    # Not imported for this: what measures memory does without it.
    torch = sys.modules.get("torch")
    device = torch.cuda.get_device_name() if torch and torch.cuda.is_available() else None
    return {
        "cpu": cpu, "cores": os.cpu_count(), "device": device, "python": platform.python_version(),
        **{name: version(name) for name in ("torch", *packages)}, "napari-tsimcne": __version__,
    }  # fmt: skip


def write(out: Path | None, **figures: object) -> None:
    """Print a line of figures, and append it to a file of JSON lines."""
    line = json.dumps(figures)
    print(line, flush=True)
    if out is not None:
        with out.open("a") as file:
            file.write(line + "\n")
