"""Lines from places on a map to labels around it: which label goes where, so that none cross."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment


def assign(tips: np.ndarray, slots: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Give each tip a slot at the edge, so that the straight lines between them do not cross.

    Tips come around the edge in the order of their angles, see `in_order`. Where two lines cross
    then, as those of two tips behind each other may, they change ends: this makes them shorter in
    sum, so that it comes to an end.

    Parameters
    ----------
    tips
        Where lines begin, (n, 2).
    slots
        Where they may end, (m, 2), m at least n, around all tips.
    centre
        From which angles are seen, (2,).

    Returns
    -------
    Number of the slot of each tip, (n,), all different.
    """
    ends = in_order(tips, slots, centre)
    while (pair := _first_crossing(tips, slots, ends)) is not None:
        ends[pair] = ends[pair[::-1]]
    return ends


def in_order(tips: np.ndarray, slots: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Give each tip a slot in about its direction, so that both go round in the same order.

    The sum of squared angles between tips and their slots is the least that can be: to overtake
    another tip would make it larger. Parameters and result are those of `assign`.
    """
    turns = _angles(tips - centre)[:, None] - _angles(slots - centre)[None]
    turns = (turns + np.pi) % (2 * np.pi) - np.pi
    _, ends = linear_sum_assignment(turns**2)
    return np.asarray(ends)


def crossings(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return which of n straight lines cross, (k, 2): pairs of their numbers.

    ``starts``, ``ends``: (n, 2). Lines that only touch do not cross.
    """
    a, b = starts[:, None], ends[:, None]
    c, d = starts[None], ends[None]
    cross = (_side(a, b, c) * _side(a, b, d) < 0) & (_side(c, d, a) * _side(c, d, b) < 0)
    return np.argwhere(np.triu(cross, 1))


def _first_crossing(tips: np.ndarray, slots: np.ndarray, ends: np.ndarray) -> np.ndarray | None:
    """Return two tips whose lines cross, and are shorter in sum once they have changed ends."""
    for pair in crossings(tips, slots[ends]):
        before = np.linalg.norm(tips[pair] - slots[ends[pair]], axis=1).sum()
        after = np.linalg.norm(tips[pair] - slots[ends[pair[::-1]]], axis=1).sum()
        # By rounding, lines upon each other may seem to cross whichever way they go.
        if after < before * (1 - 1e-9):
            return np.asarray(pair)
    return None


def _side(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Return on which side of the lines from a to b points c lie: -1, 0 or 1."""
    u, v = b - a, c - a
    return np.sign(u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0])


def _angles(directions: np.ndarray) -> np.ndarray:
    return np.arctan2(directions[:, 1], directions[:, 0])
