"""Run delayed tasks: in threads of this process, or on the workers of a dask cluster."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

import dask
from dask.callbacks import Callback

from napari_tsimcne.errors import InputError

THREADS = 1 + (os.cpu_count() or 1)
"""One more than cores: it works while another waits for the disk."""

AT_ONCE = 512
"""Tasks of one graph: enough to share what they read, not so many that planning takes long."""


def compute_in_order(tasks: Iterable[Any], at_once: int) -> Iterator[Any]:
    """Yield the results of delayed tasks in their order; so many are held at once."""
    remaining = iter(tasks)
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        while portion := list(islice(remaining, at_once)):
            yield from dask.compute(*portion, scheduler=pool)


def compute(tasks: Iterable[Any], scheduler: str | None = None) -> Generator[Any]:
    """Yield the results of delayed tasks as they come, in any order.

    Parameters
    ----------
    tasks
        Delayed objects; taken as they are needed.
    scheduler
        Address of a dask cluster; None: threads, one a core.

    Raises
    ------
    InputError
        Where the cluster cannot be reached.
    """
    run = _in_threads() if scheduler is None else _on_cluster(scheduler)
    remaining = iter(tasks)
    try:
        next(run)
        while portion := list(islice(remaining, AT_ONCE)):
            yield from run.send(portion)
    finally:
        run.close()


class _StoppedError(Exception):
    pass


def _in_threads() -> Any:
    """Take portions of tasks, give iterators over their results."""
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        portion = yield
        while True:
            portion = yield _streamed(portion, pool)


def _streamed(portion: list[Any], pool: ThreadPoolExecutor) -> Iterator[Any]:
    wanted = {task.key for task in portion}
    results: SimpleQueue[tuple[str, Any]] = SimpleQueue()
    stopped = Event()

    class Hand(Callback):
        def _posttask(self, key: str, result: Any, *_: Any) -> None:
            if stopped.is_set():
                raise _StoppedError
            if key in wanted:
                results.put(("result", result))

    def work() -> None:
        try:
            with Hand():
                dask.compute(*portion, scheduler=pool)
        except BaseException as error:
            results.put(("error", error))
        else:
            results.put(("end", None))

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            kind, value = results.get()
            if kind == "error":
                raise value
            if kind == "end":
                return
            yield value
    finally:
        stopped.set()
        thread.join()


def _on_cluster(address: str) -> Any:
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise InputError(
            "a dask cluster needs the package 'distributed': pip install 'napari-tsimcne[cluster]'"
        ) from error
    try:
        client = Client(address, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"the dask scheduler {address} cannot be reached ({error})") from error

    def streamed(portion: list[Any]) -> Iterator[Any]:
        futures = client.compute(portion)
        try:
            for _, result in as_completed(futures, loop=client.loop, with_results=True):
                yield result
        finally:
            client.cancel(futures)

    with client:
        portion = yield
        while True:
            portion = yield streamed(portion)
