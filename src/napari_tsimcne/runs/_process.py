"""Training in a child process, so that nothing that happens there can harm the window."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from napari_tsimcne.events import Event, Failed, Finished, parse_event


class TrainingProcess:
    """A child process that trains a run: iterate its events, stop it, or end it.

    It reads ``pause``, ``resume`` and ``stop`` on its standard input and ends when that is
    closed, so that it never outlives its parent. A run that was cut off goes on where it was.

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
    """

    def __init__(
        self,
        folder: Path,
        device: str = "auto",
        threads: int | None = None,
        checkpoint_seconds: float = 60.0,
    ) -> None:
        threads = threads or max(1, (os.cpu_count() or 2) - 1)
        command = [
            sys.executable, "-m", "napari_tsimcne", "train", str(folder),
            "--device", device, "--threads", str(threads), "--events",
            "--checkpoint-seconds", str(checkpoint_seconds),
        ]  # fmt: skip
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            bufsize=1,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._errors: deque[str] = deque(maxlen=40)
        self._reader = threading.Thread(target=self._drain_errors, daemon=True)
        self._reader.start()
        self._killed = False

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the child is still there."""
        return self._child.poll() is None

    def events(self) -> Iterator[Event]:
        """Yield what the child says; the last event is `Finished` or `Failed`."""
        assert self._child.stdout is not None
        ended = False
        for line in self._child.stdout:
            event = parse_event(line)
            if event is not None:
                ended = isinstance(event, Finished | Failed)
                yield event
        self._child.wait()
        self._reader.join(timeout=5)
        if not ended and not self._killed:
            yield Failed(reason=self._why_it_died(), detail="".join(self._errors))

    def stop(self) -> None:
        """Ask the child to stop and make a map of what it learnt."""
        self._say("stop")

    def pause(self) -> None:
        """Ask the child to hold; it answers `Paused`."""
        self._say("pause")

    def resume(self) -> None:
        """Ask the child to go on after a pause."""
        self._say("resume")

    def _say(self, word: str) -> None:
        try:
            assert self._child.stdin is not None
            self._child.stdin.write(word + "\n")
            self._child.stdin.flush()
        except (OSError, ValueError):
            pass  # it has just ended by itself

    def kill(self) -> None:
        """End the child at once and wait until it is gone."""
        self._killed = True
        if self.running:
            self._child.kill()
        self._child.wait()

    def _drain_errors(self) -> None:
        assert self._child.stderr is not None
        self._errors.extend(self._child.stderr)

    def _why_it_died(self) -> str:
        code = self._child.returncode
        if code in (-9, 137):
            return (
                "the training process was killed, most likely because memory ran out: use fewer "
                "or smaller patches, or a smaller batch"
            )
        last = next((line.strip() for line in reversed(self._errors) if line.strip()), "")
        return f"the training process ended with status {code}" + (f" ({last})" if last else "")
