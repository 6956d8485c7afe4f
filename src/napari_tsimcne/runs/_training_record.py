"""What a training writes into its run folder while it runs, and what it is asked there.

==================  ==========================================================================
``training.lock``   held by the process that trains; the system lets go of it when that ends
``events.jsonl``    its events, one JSON line each; a training that goes on appends to them
``live_map.npz``    the latest map on the way, which would be too much for the events
``request.txt``     ``pause``, ``resume`` or ``stop``; taken away once it is obeyed
``training.log``    what a training started from the window printed
==================  ==========================================================================
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from filelock import FileLock, Timeout

from napari_tsimcne.control import Control
from napari_tsimcne.errors import InputError, sentence
from napari_tsimcne.events import Event, Failed, MapMoved, parse_event
from napari_tsimcne.runs._files import write_text, written_whole

LOCK, EVENTS, LIVE_MAP = "training.lock", "events.jsonl", "live_map.npz"
REQUEST, LOG = "request.txt", "training.log"
LISTEN_SECONDS = 0.2
MAP_LINE = '{"kind":"map"}'


@contextmanager
def recorded_training(
    folder: Path, control: Control, goes_on: bool
) -> Iterator[Callable[[Event], None]]:
    """Hold the run's lock, give what writes events into it, and obey what is asked there.

    ``goes_on``: a training that was cut off; its events so far are kept. A failure is written as
    the last event.

    Raises
    ------
    InputError
        Where another process trains the run.
    """
    lock = FileLock(folder / LOCK)
    try:
        # Whoever looks whether it is held holds it for a moment.
        lock.acquire(timeout=1)
    except Timeout as error:
        raise InputError(
            f"another process is training {folder.name}: wait until it has ended, or stop it"
        ) from error
    ended = threading.Event()
    listener = threading.Thread(target=_listen, args=(folder, control, ended), daemon=True)
    try:
        (folder / REQUEST).unlink(missing_ok=True)
        with (folder / EVENTS).open("a" if goes_on else "w", encoding="utf-8") as file:

            def tell(event: Event) -> None:
                line = event.model_dump_json()
                if isinstance(event, MapMoved):
                    _write_live_map(folder, event)
                    line = MAP_LINE
                file.write(line + "\n")
                file.flush()

            listener.start()
            try:
                yield tell
            except Exception as error:
                tell(Failed(reason=sentence(error), detail=traceback.format_exc()))
                raise
    finally:
        ended.set()
        (folder / LIVE_MAP).unlink(missing_ok=True)
        lock.release()


def is_training(folder: Path) -> bool:
    """Whether a process is training a run."""
    if not (folder / LOCK).exists():
        return False
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False  # of a folder that cannot be written to
    lock.release()
    return False


def ask_training(folder: Path, request: str) -> None:
    """Ask the process that trains a run to ``pause``, ``resume`` or ``stop``."""
    write_text(folder / REQUEST, request)


class EventReader:
    """Reads the events of a run as they come; those there are already come first.

    ``skip``: begin behind those there are.
    """

    def __init__(self, folder: Path, skip: bool = False) -> None:
        self._folder = folder
        path = folder / EVENTS
        self._place = path.stat().st_size if skip and path.exists() else 0

    def read(self) -> Iterator[Event]:
        """Yield the events that have come since the last time."""
        path = self._folder / EVENTS
        if not path.exists():
            return
        if path.stat().st_size < self._place:
            self._place = 0  # begun anew
        with path.open("rb") as file:
            file.seek(self._place)
            for line in file:
                if not line.endswith(b"\n"):
                    return  # not yet written to its end
                self._place += len(line)
                text = line.decode("utf-8", errors="replace").strip()
                event = _read_live_map(self._folder) if text == MAP_LINE else parse_event(text)
                if event is not None:
                    yield event


def _listen(folder: Path, control: Control, ended: threading.Event) -> None:
    path = folder / REQUEST
    words = {"stop": control.stop, "pause": control.pause, "resume": control.resume}
    while not ended.wait(LISTEN_SECONDS):
        try:
            word = path.read_text(encoding="utf-8").strip()
            path.unlink()
        except OSError:
            continue  # nothing is asked
        words.get(word, lambda: None)()


def _write_live_map(folder: Path, event: MapMoved) -> None:
    try:
        with written_whole(folder / LIVE_MAP) as draft, draft.open("wb") as file:
            np.savez(file, rows=event.rows, coordinates=event.coordinates)
    except PermissionError:
        return  # on Windows, while it is being read: the next one will do


def _read_live_map(folder: Path) -> MapMoved | None:
    """Return the latest map; None where it is gone, or is just being replaced."""
    try:
        with np.load(folder / LIVE_MAP, allow_pickle=False) as live:
            rows, coordinates = live["rows"], live["coordinates"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    return MapMoved(
        dimensions=coordinates.shape[1],
        rows=rows.astype(np.int64),
        values=coordinates.astype(np.float32).ravel(),
    )
