"""Why a process of ours ended, in one sentence, from its exit status and its last words."""

from __future__ import annotations

from napari_tsimcne.errors import FAILURE, USER_ERROR

KILLED = (-9, 137)

REASONS = (
    ("No space left on device", "the disk is full: free some space, then resume"),
    ("CUDA error", "the graphics card reported an error: resume, or train on the CPU"),
    ("CUDA out of memory", "the graphics card ran out of memory: lower the batch size"),
)
"""What the last lines of a process that died may hold, and what that means."""


def why_it_ended(what: str, code: int | None, lines: list[str], advice: str) -> str:
    """Say why a process ended.

    Parameters
    ----------
    what
        The process, such as ``the training process``.
    code
        Its exit status; None where it is not known.
    lines
        The last it printed.
    advice
        What to do where it was killed for its memory.
    """
    for sign, reason in REASONS:
        if any(sign in line for line in lines):
            return reason
    if code is None or code in KILLED:
        ended = "ended without a word" if code is None else "was killed"
        return f"{what} {ended}, most likely because memory ran out: {advice}"
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    if code in (FAILURE, USER_ERROR) and last:
        return last.removeprefix("Error: ")
    return f"{what} ended with status {code}" + (f" ({last})" if last else "")
