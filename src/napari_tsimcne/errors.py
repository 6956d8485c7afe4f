"""What can go wrong, in words: exceptions for the user, and one sentence for any other."""

from __future__ import annotations

from pydantic import ValidationError

USER_ERROR, FAILURE, INTERRUPTED = 2, 1, 130
"""Exit statuses of the command line: the user's mistake, any other failure, and Ctrl-C."""


class InputError(ValueError):
    """A mistake in what the user gave: its message says what is wrong, where, and what to do."""


class TrainingError(RuntimeError):
    """Training cannot go on: the message says why, and what to do."""


def sentence(error: BaseException) -> str:
    """Return one line for the user on any exception."""
    if isinstance(error, ValidationError):
        parts = []
        for problem in error.errors():
            where = ".".join(str(part) for part in problem["loc"])
            message = problem["msg"].removeprefix("Value error, ")
            parts.append(f"{where}: {message}" if where else message)
        return "; ".join(parts)
    text = " ".join(str(error).split())
    if isinstance(error, InputError | TrainingError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
