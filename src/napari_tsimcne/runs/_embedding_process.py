"""Embedding in a process of its own: images that were cut to be added to a run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_tsimcne.errors import TrainingError
from napari_tsimcne.runs._endings import why_it_ended


class Embedded(BaseModel):
    """A line of JSON that the process prints: patches done, of how many."""

    model_config = ConfigDict(frozen=True)

    done: int
    total: int


class EmbeddingProcess:
    """A process that puts what was cut onto the map of a run: iterate its progress, or end it.

    Parameters
    ----------
    folder
        Of the run.
    name
        Of the addition.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    """

    def __init__(self, folder: Path, name: str, device: str = "auto") -> None:
        command = [
            sys.executable, "-m", "napari_tsimcne", "add", str(folder), "--cut", name,
            "--device", device,
        ]  # fmt: skip
        # The window needs a core.
        threads = str(max(1, (os.cpu_count() or 2) - 1))
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._killed = False
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={"OMP_NUM_THREADS": threads, **os.environ},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )

    def progress(self) -> Iterator[Embedded]:
        """Yield how far it is, until it has ended; nothing more after `kill`.

        Raises
        ------
        TrainingError
            Where it failed, with the reason.
        """
        assert self._child.stdout is not None
        try:
            for line in self._child.stdout:
                try:
                    yield Embedded.model_validate_json(line)
                except ValidationError:
                    continue  # what a library printed
            code = self._child.wait()
            if code and not self._killed:
                raise TrainingError(self._why(code))
        finally:
            self.kill()
            self._child.stdout.close()
            self._errors.close()

    def kill(self) -> None:
        """End it at once, and wait until it is gone."""
        self._killed = True
        self._child.kill()
        self._child.wait()

    def _why(self, code: int) -> str:
        self._errors.seek(0)
        text = self._errors.read().decode("utf-8", errors="replace")
        return why_it_ended(
            "the process that embeds", code, text.splitlines(),
            "close other programs, or add fewer images at once",
        )  # fmt: skip
