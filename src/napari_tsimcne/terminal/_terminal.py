"""Training as the terminal shows it, and as the window's child process tells it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from napari_tsimcne.control import Control
from napari_tsimcne.errors import INTERRUPTED
from napari_tsimcne.events import readable_time
from napari_tsimcne.recipe import Objects

if TYPE_CHECKING:
    from napari_tsimcne.events import Event, Finished
    from napari_tsimcne.runs import Run

console = Console()
errors = Console(stderr=True)


def train_in_terminal(
    run: Run,
    device: str,
    threads: int | None = None,
    checkpoint_seconds: float = 60.0,
    precision: str = "auto",
    compiled: bool | None = None,
) -> None:
    """Train with a bar; Ctrl-C stops and keeps the map so far, a second one breaks off."""
    control = Control()

    def interrupt(number: int, frame: object) -> None:
        if control.stopping:
            raise KeyboardInterrupt
        control.stop()
        warn("stopping: a map of what was learnt is being made (Ctrl-C again to break off)")

    finished: Finished | None = None
    with bar("Training") as update:
        from napari_tsimcne.training import train as train_run

        def show(event: Event) -> None:
            nonlocal finished
            if event.kind == "preparing":
                update(0, 1, event.text)
            elif event.kind == "prepared":
                if event.resumed:
                    console.print("Going on where it was cut off", highlight=False)
                compiled = ", compiled" if event.compiled else ""
                update(0, 1, f"{event.device}, {event.precision}{compiled}")
            elif event.kind == "rolled back":
                warn(f"{event.reason}: back to the last checkpoint, with a lower learning rate")
            elif event.kind == "progress":
                text = f"{event.stage} {event.epoch}/{event.epochs}"
                if event.loss is not None:
                    text += f"  loss {event.loss:.3f}"
                text += f"  {event.images_per_second:,.0f} images/s"
                if event.seconds_left is not None:
                    text += f"  {readable_time(event.seconds_left)} left"
                update(event.fraction, 1, text)
            elif event.kind == "noted":
                warn(event.text)
            elif event.kind == "embedding":
                text = f"putting {event.addition or 'all patches'} onto the map"
                if event.seconds_left is not None:
                    text += f"  {readable_time(event.seconds_left)} left"
                update(event.fraction if event.whole is None else event.whole, 1, text)
            elif event.kind == "finished":
                finished = event

        previous = signal.signal(signal.SIGINT, interrupt)
        try:
            train_run(
                run, device=device, threads=threads, on_event=show, control=control,
                checkpoint_seconds=checkpoint_seconds, **_pins(precision, compiled),
            )  # fmt: skip
        except KeyboardInterrupt:
            errors.print(
                f"Broken off: napari-tsimcne train {run.folder} goes on from the last checkpoint",
                highlight=False, soft_wrap=True,
            )  # fmt: skip
            raise typer.Exit(INTERRUPTED) from None
        finally:
            signal.signal(signal.SIGINT, previous)
    if finished is not None:
        console.print(_spent(finished), highlight=False)
    if control.stopping:
        errors.print(f"Stopped: the map so far is in {run.folder}", highlight=False)
        raise typer.Exit(INTERRUPTED)


def _spent(finished: Finished) -> str:
    text = f"Trained in {readable_time(finished.seconds)}"
    for what, size in (
        ("memory", finished.peak_host_bytes),
        ("memory of the GPU", finished.peak_device_bytes),
    ):
        if size:
            text += f", at most {size / 1e9:.1f} GB of {what}"
    return text


def cut_text(run: Run) -> str:
    """Say what was cut, and what was left out."""
    count, info = len(run.info.images), run.info
    parts = [f"{len(run.table):,} patches of {count} image{'s' if count > 1 else ''}"]
    if isinstance(run.recipe.patches, Objects):
        unit = run.recipe.patches.unit.replace("pixel", "px")
        parts[0] += f", {run.recipe.patches.size:g} {unit} around each object"
    at_border, small = info.objects_left_out
    if at_border:
        parts.append(f"{at_border:,} objects at the border left out (--keep-border keeps them)")
    if small:
        parts.append(f"{small:,} objects smaller than --least-area left out")
    if info.background_windows:
        total = info.background_windows + len(run.table)
        parts.append(
            f"{info.background_windows:,} of {total:,} empty windows left out "
            "(--background none keeps them)"
            if run.recipe.background.method == "auto"
            else f"{info.background_windows:,} windows without content skipped"
        )
        thresholds = [f"{name} {value:.4g}" for name, value in info.background_thresholds.items()]
        if thresholds:
            parts[-1] += f" (content is above {', '.join(thresholds)})"
    return "; ".join(parts)


def _pins(precision: str, compiled: bool | None) -> dict[str, Any]:
    """Return arguments of `train` that say which arithmetic is taken."""
    return {"precision": None if precision == "auto" else str(precision), "compiled": compiled}


def train_quietly(
    run: Run,
    device: str,
    threads: int | None,
    checkpoint_seconds: float,
    precision: str = "auto",
    compiled: bool | None = None,
) -> None:
    """Train and print nothing: whoever wants to know follows the events in the run folder."""
    from napari_tsimcne.training import train as train_run

    train_run(
        run, device=device, threads=threads, checkpoint_seconds=checkpoint_seconds,
        **_pins(precision, compiled),
    )  # fmt: skip


@contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """Give what shows one bar for each thing that is done, as ``Run.create`` tells it."""
    columns = (
        TextColumn("{task.description}"), BarColumn(bar_width=24), TaskProgressColumn(),
        TimeElapsedColumn(), TextColumn("{task.fields[detail]}"),
    )  # fmt: skip
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console, transient=not console.is_terminal) as progress:

        def told(what: str, done: float, total: float, detail: str = "") -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=None, detail="")
            progress.update(tasks[what], completed=done, total=total, detail=detail)

        yield told


@contextmanager
def bar(text: str) -> Iterator[Callable[..., None]]:
    """Give what shows one bar: done, total, and a detail."""
    with bars() as told:
        told(text, 0, 1)
        yield partial(told, text)


def warn(text: str) -> None:
    errors.print(f"Warning: {text}", highlight=False, markup=False, soft_wrap=True)
