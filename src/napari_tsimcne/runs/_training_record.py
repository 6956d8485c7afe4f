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

import math
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import RawIOBase
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import numpy as np
from filelock import FileLock, Timeout

from napari_tsimcne.control import Control
from napari_tsimcne.errors import InputError, sentence
from napari_tsimcne.events import Event, Failed, MapMoved, parse_event
from napari_tsimcne.runs._files import cannot_write, write_text, written_whole
from napari_tsimcne.runs._trust import refuse_links

LOCK, EVENTS, LIVE_MAP = "training.lock", "events.jsonl", "live_map.npz"
REQUEST, LOG = "request.txt", "training.log"
LISTEN_SECONDS = 0.2
MAP_LINE = '{"kind":"map"}'
LONGEST_LINE = 1 << 20
"""Bytes of an event: they are numbers and sentences, and a traceback at most."""


@contextmanager
def recorded_training(
    folder: Path, control: Control, goes_on: bool
) -> Iterator[Callable[[Event], None]]:
    """Hold the run's lock, give what writes events into it, and obey what is asked there.

    ``goes_on``: a training that was cut off; its events so far are kept. A failure is written as
    the last event, where it can be.

    Raises
    ------
    InputError
        Where another process trains the run, or its folder cannot be written to: when that is
        so only later, then from the event that could not be written.
    """
    refuse_links(folder)
    lock = FileLock(folder / LOCK)
    try:
        # Whoever looks whether it is held holds it for a moment.
        lock.acquire(timeout=1)
    except Timeout as error:
        raise InputError(
            f"another process is training {folder.name}: wait until it has ended, or stop it"
        ) from error
    except OSError as error:
        raise cannot_write(folder, error) from error
    ended = threading.Event()
    listener = threading.Thread(target=_listen, args=(folder, control, ended), daemon=True)
    try:
        with _open_events(folder, goes_on) as file:

            def tell(event: Event) -> None:
                line = event.model_dump_json()
                if isinstance(event, MapMoved):
                    _write_live_map(folder, event)
                    line = MAP_LINE
                try:
                    _write(file, line.encode() + b"\n")
                except OSError as error:
                    raise cannot_write(folder, error) from error

            listener.start()
            try:
                yield tell
            except Exception as error:
                with suppress(InputError):
                    tell(Failed(reason=sentence(error), detail=traceback.format_exc()))
                raise
    finally:
        ended.set()
        with suppress(OSError):
            (folder / LIVE_MAP).unlink(missing_ok=True)
        lock.release()


def is_training(folder: Path) -> bool:
    """Whether a process is training a run."""
    # To take a lock is to open its file: a link would be followed.
    if (folder / LOCK).is_symlink() or not (folder / LOCK).is_file():
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

    What is no event is passed over. ``skip``: begin behind those there are.

    Raises
    ------
    InputError
        From `read`, where the events cannot be read.
    """

    def __init__(self, folder: Path, skip: bool = False) -> None:
        self._folder = folder
        path = folder / EVENTS
        self._place = path.stat().st_size if skip and path.is_file() else 0

    def read(self) -> Iterator[Event]:
        """Yield the events that have come since the last time."""
        path = self._folder / EVENTS
        if not path.is_file():
            return
        try:
            if path.stat().st_size < self._place:
                self._place = 0  # begun anew
            with path.open("rb") as file:
                file.seek(self._place)
                while line := file.readline(LONGEST_LINE):
                    if not line.endswith(b"\n") and len(line) < LONGEST_LINE:
                        return  # not yet written to its end
                    self._place += len(line)
                    event = self._event(line) if line.endswith(b"\n") else None
                    if event is not None:
                        yield event
        except OSError as error:
            raise InputError(f"the events in {path} cannot be read ({error})") from error

    def _event(self, line: bytes) -> Event | None:
        text = line.decode("utf-8", errors="replace").strip()
        if text == MAP_LINE:
            return _read_live_map(self._folder)
        event = parse_event(text)
        if isinstance(event, MapMoved):
            return None  # it would be in a file of its own
        numbers = () if event is None else vars(event).values()
        known = all(math.isfinite(value) for value in numbers if isinstance(value, float))
        return event if known else None


def _open_events(folder: Path, goes_on: bool) -> RawIOBase:
    """Open the events for writing; unbuffered, so that a full disk is told where it is met."""
    path = folder / EVENTS
    try:
        (folder / REQUEST).unlink(missing_ok=True)
        file = path.open("ab" if goes_on else "wb", buffering=0)
        if goes_on:
            # Behind a line that was cut off, by a disk that was full; empty lines are no events.
            file.write(b"\n")
        return file
    except OSError as error:
        raise cannot_write(folder, error) from error


def _write(file: RawIOBase, line: bytes) -> None:
    while line:
        line = line[file.write(line) or 0 :]


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
        with written_whole(folder / LIVE_MAP, lasting=False) as draft, draft.open("wb") as file:
            np.savez(file, rows=event.rows, coordinates=event.coordinates)
    except InputError as error:
        # On Windows, while it is being read: the next one will do.
        if not isinstance(error.__cause__, PermissionError):
            raise


def _read_live_map(folder: Path) -> MapMoved | None:
    """Return the latest map; None where it is gone, damaged, or is just being replaced."""
    path = folder / LIVE_MAP
    try:
        if not path.is_file() or path.is_symlink():
            return None
        with ZipFile(path) as archive:
            # Compressed, it could be of any size.
            if any(member.compress_type != ZIP_STORED for member in archive.infolist()):
                return None
        with np.load(path, allow_pickle=False) as live:
            rows, coordinates = live["rows"], live["coordinates"]
        count, dimensions = coordinates.shape
        if rows.shape != (count,) or dimensions not in (2, 3) or rows.dtype.kind not in "iu":
            return None
        if count and (rows.min() < 0 or not np.isfinite(coordinates).all()):
            return None
    except Exception:  # whatever a damaged archive makes of it
        return None
    return MapMoved(
        dimensions=dimensions,
        rows=rows.astype(np.int64),
        values=coordinates.astype(np.float32).ravel(),
    )
