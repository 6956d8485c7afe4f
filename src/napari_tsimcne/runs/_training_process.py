"""Training in a process of its own, so that nothing that happens there can harm the window."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from napari_tsimcne.errors import InputError
from napari_tsimcne.events import Event, Failed, Finished
from napari_tsimcne.runs._endings import why_it_ended
from napari_tsimcne.runs._files import cannot_write
from napari_tsimcne.runs._training_record import (
    LOG,
    EventReader,
    ask_training,
    is_training,
)

POLL_SECONDS = 0.05


class TrainingProcess:
    """A process that trains a run: iterate its events, pause it, stop it, or end it.

    It outlives the process that started it. What it says and what it is asked goes through the
    run folder, so that another window can `attach` to it. A run that was cut off goes on where it
    was.

    Parameters
    ----------
    folder
        A run whose patches are cut.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    threads
        CPU threads; by default all cores but one, which the window needs.
    checkpoint_seconds
        Time between checkpoints.

    Raises
    ------
    InputError
        Where another process trains the run, or its folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        device: str = "auto",
        threads: int | None = None,
        checkpoint_seconds: float = 60.0,
    ) -> None:
        if is_training(folder):
            raise InputError(f"another process is training {folder.name}: attach to it, or stop it")
        threads = threads or max(1, (os.cpu_count() or 2) - 1)
        command = [
            sys.executable, "-m", "napari_tsimcne", "train", str(folder), "--quiet",
            "--device", device, "--threads", str(threads),
            "--checkpoint-seconds", str(checkpoint_seconds),
        ]  # fmt: skip
        self._folder, self._left = folder, False
        self._reader = EventReader(folder, skip=True)
        with _new_log(folder) as log:
            self._child: subprocess.Popen | None = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Of its own session: the end of the window, or a Ctrl-C there, is not its end.
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )

    @classmethod
    def attach(cls, folder: Path) -> TrainingProcess | None:
        """Return the training that another process runs; None where there is none.

        Its events so far are told again.
        """
        if not is_training(folder):
            return None
        process = cls.__new__(cls)
        process._folder, process._left, process._child = folder, False, None
        process._reader = EventReader(folder)
        return process

    @property
    def pid(self) -> int:
        """Process id of the training that was started here."""
        assert self._child is not None
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the training is still there."""
        if self._child is not None:
            return self._child.poll() is None
        return is_training(self._folder)

    def events(self) -> Iterator[Event]:
        """Yield what the training says; the last event is `Finished` or `Failed`.

        Ends without one after `leave` or `kill`.
        """
        last: Event | None = None
        while not self._left:
            running = self.running
            for event in self._reader.read():
                if isinstance(event, Finished | Failed):
                    last = event  # the last one, unless the training went on later
                else:
                    last = None
                    yield event
            if not running:
                break
            time.sleep(POLL_SECONDS)
        if self._left:
            return
        if last is not None:
            yield last
        else:
            yield Failed(reason=self._why_it_died(), detail="\n".join(self._last_lines()))

    def stop(self) -> None:
        """Ask the training to stop and make a map of what it learnt."""
        ask_training(self._folder, "stop")

    def pause(self) -> None:
        """Ask the training to hold; it answers `Paused`."""
        ask_training(self._folder, "pause")

    def resume(self) -> None:
        """Ask the training to go on after a pause."""
        ask_training(self._folder, "resume")

    def leave(self) -> None:
        """Follow the training no longer; it goes on."""
        self._left = True

    def kill(self) -> None:
        """End the training that was started here at once, and wait until it is gone."""
        self._left = True
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def _last_lines(self) -> list[str]:
        try:
            text = (self._folder / LOG).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return text.splitlines()[-40:]

    def _why_it_died(self) -> str:
        return why_it_ended(
            "the training process",
            self._child.returncode if self._child is not None else None,
            self._last_lines(),
            "use fewer or smaller patches, or a smaller batch, or resume when other programs are "
            "closed",
        )


def _new_log(folder: Path) -> BinaryIO:
    """Open what a training prints into; never one that lies elsewhere."""
    path = folder / LOG
    try:
        path.unlink(missing_ok=True)
        return path.open("xb")
    except OSError as error:
        raise cannot_write(folder, error) from error
