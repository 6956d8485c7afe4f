import os
import subprocess
from pathlib import Path

# Before torch is imported anywhere: threads that wait by spinning starve each other on few cores.
os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from making import make_tiny_run

from napari_tsimcne import Run

# How long an example takes says nothing on a machine that is busy otherwise.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    if not DATA.is_dir():
        pytest.skip(f"the real images are not here: no folder {DATA}")
    return DATA


@pytest.fixture(scope="session", autouse=True)
def _own_napari_settings(tmp_path_factory):
    os.environ["NAPARI_CONFIG"] = str(tmp_path_factory.mktemp("napari") / "settings.yaml")


@pytest.fixture(autouse=True)
def _own_memory(tmp_path, monkeypatch):
    """What the window remembers between its openings."""
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path.parent / f"{tmp_path.name}-remembered"))


@pytest.fixture(autouse=True)
def _no_training_is_left(monkeypatch):
    """End trainings that outlive their test, as they outlive a window."""
    started = []

    class Recorded(subprocess.Popen):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    yield
    for child in started:
        if child.poll() is None:
            child.kill()
            child.wait()


@pytest.fixture
def stripes() -> np.ndarray:
    """A (64, 80) image whose every pixel has a value of its own."""
    return np.arange(64 * 80, dtype=np.uint16).reshape(64, 80)


@pytest.fixture
def tiny_run(tmp_path) -> Run:
    """A run of 80 patches of one synthetic field, cut but not trained."""
    return make_tiny_run(tmp_path / "run")
