"""Patches as pictures: channels in their colours, laid over each other as light."""

from __future__ import annotations

import numpy as np


def composite(pixels: np.ndarray, limits: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Turn patches into RGB pictures, channels added up as in a fluorescence microscope.

    Parameters
    ----------
    pixels
        (n, C, S, S), any dtype.
    limits
        (C, 2): the values shown darkest and brightest.
    colors
        (C, K, 3) float in 0..1: a channel's colours from the darkest to the brightest.

    Returns
    -------
    (n, S, S, 3) uint8.
    """
    light = np.zeros((len(pixels), *pixels.shape[2:], 3), np.float32)
    for channel, (low, high) in enumerate(np.asarray(limits, np.float64)):
        table = np.asarray(colors[channel], np.float32)
        share = (pixels[:, channel].astype(np.float32) - np.float32(low)) / np.float32(
            max(high - low, 1e-12)
        )
        step = np.clip(np.nan_to_num(share), 0, 1) * (len(table) - 1)
        light += table[np.rint(step).astype(np.intp)]
    return np.rint(np.clip(light, 0, 1) * 255).astype(np.uint8)


def rgb_pictures(pixels: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Turn RGB patches (n, 3, S, S) into pictures (n, S, S, 3) uint8, between limits (3, 2)."""
    ramps = np.zeros((3, 256, 3), np.float32)
    for channel in range(3):
        ramps[channel, :, channel] = np.linspace(0, 1, 256)
    return composite(pixels, limits, ramps)
