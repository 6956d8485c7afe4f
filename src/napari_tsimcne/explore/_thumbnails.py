"""Pictures in place of points: which of them do not overlap, and how they are laid out."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.spatial import KDTree

FRAME = 2
"""Pixels: the width of a picture's frame, and of the ring around it."""


def without_overlap(points: np.ndarray, side: float) -> np.ndarray:
    """Choose points on which squares can stand that do not overlap, first come first served.

    Parameters
    ----------
    points
        (n, 2), those to be preferred first.
    side
        Of the squares, whose centres are the points; sides are parallel to the axes.

    Returns
    -------
    Numbers of the chosen points, ascending. Every other one would overlap with one of them.
    """
    if not len(points):
        return np.zeros(0, np.intp)
    tree = KDTree(points, balanced_tree=False, compact_nodes=False)
    # Squares that only touch do not overlap.
    reach = np.nextafter(side, 0)
    free = np.ones(len(points), bool)
    chosen = []
    at = 0
    while True:
        chosen.append(at)
        free[tree.query_ball_point(points[at], reach, p=np.inf)] = False
        free[at] = False
        following = int(free[at:].argmax())
        if not free[at + following]:
            return np.array(chosen, np.intp)
        at += following


def lay_out(
    pictures: np.ndarray,
    corners: np.ndarray,
    side: int,
    shape: tuple[int, int],
    frames: np.ndarray,
    rings: np.ndarray,
) -> np.ndarray:
    """Lay framed pictures out on a transparent ground.

    Parameters
    ----------
    pictures
        (n, S, S, 3) uint8; scaled to what their frames leave of them.
    corners
        (n, 2) whole numbers: row and column of their upper left corners, frames included; parts
        outside the ground are cut off.
    side
        Pixels of a picture's side, frame and ring included.
    shape
        Rows and columns of the ground.
    frames, rings
        (n, 4) uint8: colours of the frame of each, and of the ring around it.

    Returns
    -------
    (rows, columns, 4) uint8 RGBA.
    """
    rows, columns = shape
    ground = np.zeros((rows + 2 * side, columns + 2 * side, 4), np.uint8)
    inner = side - 4 * FRAME
    whole, framed, shown = (slice(i * FRAME, side - i * FRAME) for i in range(3))
    tile = np.zeros((side, side, 4), np.uint8)
    for picture, (top, left), frame, ring in zip(pictures, corners, frames, rings, strict=True):
        if not (-side < top < rows and -side < left < columns):
            continue
        tile[whole, whole] = ring
        tile[framed, framed] = frame
        scaled = Image.fromarray(picture).resize((inner, inner), Image.Resampling.BICUBIC)
        tile[shown, shown, :3] = np.asarray(scaled)
        tile[shown, shown, 3] = 255
        ground[top + side : top + 2 * side, left + side : left + 2 * side] = tile
    return ground[side:-side, side:-side]
