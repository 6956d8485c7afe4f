"""The one exception for what a user can put right."""

from __future__ import annotations


class InputError(ValueError):
    """A mistake in what the user gave: its message says what is wrong, where, and what to do."""
