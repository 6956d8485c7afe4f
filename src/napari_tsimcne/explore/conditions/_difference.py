"""Where on the map treated patches lie more densely than control ones, and whether by chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter, map_coordinates

from napari_tsimcne.errors import InputError
from napari_tsimcne.explore._design import Replicate, codes_of, joined
from napari_tsimcne.explore.conditions._conditions import (
    SEED,
    block_of_units,
    in_both,
    no_block,
    ordered_texts,
    too_few,
)
from napari_tsimcne.explore.conditions._permutations import max_p_values, relabelings, standardized
from napari_tsimcne.patches import Told

SIGNIFICANT = 0.05

PERMUTATIONS = 999
CELLS_A_WIDTH = 2
MOST_CELLS = 128
"""Of the grid, along each axis."""

TRUNCATED = 4
"""Widths, beyond which the kernel is cut off."""

NARROWER = 1 / 2
"""Than Scott's rule, which suits one normal distribution: a map is of many heaps."""

FEWEST = 20
"""Patches that a kernel must reach for a cell to be tested: chance rules where there are fewer."""

AT_ONCE = 64
"""Relabelings whose maps are in memory."""


@dataclass(frozen=True, eq=False)
class DifferenceMap:
    """Density of treated minus density of control, on a grid over the map.

    Parameters
    ----------
    difference
        (rows, columns) float32, rows from low to high y; patches per square unit of the map, as
        shares of all treated and of all control ones, so that all of it adds up to 0.
    p_values
        Of no difference in a cell, corrected for the number of cells, (rows, columns); missing
        where hardly any patches lie.
    p
        Of no difference anywhere.
    smallest_p
        The smallest p that so many replicates can give.
    extent
        Of the grid, on the map: left, right, bottom, top.
    bandwidth
        Standard deviation of the Gaussian kernel, in units of the map.
    treated, control
        Patches of each.
    treated_replicates, control_replicates
        Replicates of each; 0 where patches were taken as independent.
    """

    difference: np.ndarray
    p_values: np.ndarray
    p: float
    smallest_p: float
    extent: tuple[float, float, float, float]
    bandwidth: float
    treated: int
    control: int
    treated_replicates: int
    control_replicates: int

    @property
    def limit(self) -> float:
        """Largest size of a difference: the ends of a scale of colours with 0 in its middle."""
        return float(np.abs(self.difference).max()) or 1.0

    def at(self, coordinates: np.ndarray) -> np.ndarray:
        """Return the difference at places (n, 2) of the map, (n,) float32; 0 beyond the grid."""
        return self._read(self.difference, coordinates, order=1)

    def p_at(self, coordinates: np.ndarray) -> np.ndarray:
        """Return the corrected p value at places (n, 2), (n,) float32; missing if not tested."""
        return self._read(self.p_values, coordinates, order=0, outside=np.nan)

    def _read(
        self, grid: np.ndarray, coordinates: np.ndarray, order: int, outside: float = 0.0
    ) -> np.ndarray:
        left, right, bottom, top = self.extent
        rows, columns = grid.shape
        x, y = np.asarray(coordinates, np.float64)[:, :2].T
        # The extent is that of the cells' edges.
        places = [(y - bottom) / (top - bottom) * rows - 0.5,
                  (x - left) / (right - left) * columns - 0.5]  # fmt: skip
        found = map_coordinates(grid, places, order=order, mode="constant", cval=outside)
        return found.astype(np.float32)


def difference_map(
    coordinates: np.ndarray,
    treated: np.ndarray,
    control: np.ndarray,
    replicate: Replicate = None,
    *,
    permutations: int = PERMUTATIONS,
    bandwidth: float | None = None,
    seed: int = SEED,
    block: pd.Series | None = None,
    told: Told = lambda what, done, total: None,
) -> DifferenceMap:
    """Compare where treated and control patches lie, with a permutation test between replicates.

    The density of each replicate is estimated with a Gaussian kernel and is normalised, so that
    each weighs the same, however many patches it has. The difference of the two means is divided by
    the spread between all replicates. Which replicates are treated is then permuted, in all ways
    where these are few, and the largest statistic anywhere on the map is noted: a difference is
    significant where few permutations have one as large anywhere. Patches are never permuted where
    replicates are known: those of one well are alike for other reasons than the treatment.

    Parameters
    ----------
    coordinates
        The map, (N, 2 or 3), of which the first two dimensions are looked at.
    treated, control
        (N,) booleans, with no patch in both.
    replicate
        N values that tell replicates apart, such as the well; patches without one are left out.
        The same value in treated and in control stands for two replicates. Several columns (a
        table, or a list): each combination is a replicate. None: patches are
        taken as independent, and p is far too small, see `difference_text`.
    permutations
        Most that are made, besides the real one.
    bandwidth
        Standard deviation of the kernel in units of the map; None: half of that by Scott's rule.
    seed
        Of random permutations.
    block
        N values, such as the plate, the same all over each replicate: replicates are compared and
        relabelled within it only; where it does not hold both, they are left out. None: everywhere.
        Only with replicates.
    told
        Progress; may raise to cancel.

    Raises
    ------
    InputError
        Where no patch is treated or control, or some are both, or have no place on the map.
    """
    treated, control = np.asarray(treated, bool), np.asarray(control, bool)
    if (treated & control).any():
        raise InputError("some patches are both treated and control: choose two conditions")
    replicate = joined(replicate)
    if block is not None and replicate is not None:
        blocks = codes_of(block)
        inside = in_both(treated, control, np.where(treated | control, blocks, -1)) & (blocks >= 0)
        if not (inside & treated).any():
            raise InputError(no_block(block, "treated", "control"))
        treated, control = treated & inside, control & inside
    copies, names = (
        (np.zeros(len(treated), np.int64), [""]) if replicate is None else ordered_texts(replicate)
    )
    kept = (treated | control) & (copies >= 0)
    for what, side in (("treated", treated), ("control", control)):
        if not (kept & side).any():
            raise InputError(f"no patch is {what}: choose another condition")
    points = np.asarray(coordinates, np.float64)[kept, :2]
    if not np.isfinite(points).all():
        raise InputError("some of the patches have no place on the map: leave them out")
    grid = _Grid.over(points, bandwidth)
    treated, cells = treated[kept], grid.cells(points)
    units: _Patches | _Replicates
    if replicate is None:
        units = _Patches(grid, cells, treated, permutations, seed)
    else:
        unit = np.unique(copies[kept] + len(names) * treated, return_inverse=True)[1]
        of_units = None if block is None else block_of_units(unit, codes_of(block)[kept], block)
        units = _Replicates(grid, cells, treated, unit, of_units, permutations, seed)
    crowd = grid.smooth(np.bincount(cells, minlength=grid.size))
    tested = crowd * 4 * np.pi * grid.sigma**2 >= FEWEST
    maxima: list[float] = []
    for block in units.differences():
        told("Permuting", len(maxima), units.count)
        statistics = standardized(block, units.spread)
        if not maxima:
            difference, observed = block[0], statistics[0]
        maxima += statistics[:, tested].max(axis=1, initial=0).tolist()
    told("Permuting", units.count, units.count)
    corrected = np.where(tested, max_p_values(observed, np.array(maxima)), np.nan)
    shape = grid.shape
    return DifferenceMap(
        difference=(difference / grid.cell**2).reshape(shape).astype(np.float32),
        p_values=corrected.reshape(shape),
        p=float(max_p_values(np.array(maxima[:1]), np.array(maxima))[0]),
        smallest_p=units.smallest_p,
        extent=grid.extent,
        bandwidth=grid.sigma * grid.cell,
        treated=int(treated.sum()),
        control=int((~treated).sum()),
        treated_replicates=units.treated,
        control_replicates=units.control,
    )


def difference_text(found: DifferenceMap, level: float = SIGNIFICANT) -> str:
    """Say in a sentence or two whether treated and control lie differently, and how sure it is."""
    if not found.treated_replicates:
        return (
            f"If patches were independent, p would be {found.p:.2g}; those of one well or image "
            "are not, so that this is no evidence of a difference: name the column of replicates."
        )
    sizes = f"{found.treated_replicates} + {found.control_replicates} replicates"
    if found.smallest_p > level:
        few = too_few(found.treated_replicates, found.control_replicates, found.smallest_p)
        return f"Whether they lie differently {few} Here p = {found.p:.2g}."
    if found.p <= level:
        return f"Treated and control lie differently on the map (p = {found.p:.2g}, {sizes})."
    return (
        "Treated and control do not differ more on the map than replicates do "
        f"(p = {found.p:.2g}, {sizes})."
    )


# --- inside ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Grid:
    """Square cells over the map; ``sigma`` is the kernel's width in cells."""

    left: float
    bottom: float
    cell: float
    sigma: float
    shape: tuple[int, int]

    @classmethod
    def over(cls, points: np.ndarray, bandwidth: float | None) -> _Grid:
        low, extent = points.min(axis=0), np.ptp(points, axis=0)
        if bandwidth is None:
            # Quartiles: a few patches far off do not widen the kernel.
            quartiles = np.percentile(points, (25, 75), axis=0)
            spread = float(np.mean(quartiles[1] - quartiles[0])) / 1.349 or float(extent.max())
            bandwidth = NARROWER * spread * len(points) ** (-1 / 6)
        cell = max(bandwidth / CELLS_A_WIDTH, float(extent.max()) / MOST_CELLS) or 1.0
        sigma = max(bandwidth / cell, 1.0)
        margin = int(TRUNCATED * sigma) + 1
        columns, rows = np.ceil(extent / cell).astype(int) + 2 * margin + 1
        left, bottom = low - (margin + 0.5) * cell
        return cls(float(left), float(bottom), cell, sigma, (int(rows), int(columns)))

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1]

    @property
    def extent(self) -> tuple[float, float, float, float]:
        rows, columns = self.shape
        return (self.left, self.left + columns * self.cell,
                self.bottom, self.bottom + rows * self.cell)  # fmt: skip

    def cells(self, points: np.ndarray) -> np.ndarray:
        """Return the number of the cell of each point (n, 2), (n,) int64."""
        x, y = np.floor((points - (self.left, self.bottom)) / self.cell).astype(np.int64).T
        return y * self.shape[1] + x

    def smooth(self, counts: np.ndarray, narrower: float = 1.0) -> np.ndarray:
        """Spread counts (cells,) by the kernel; their sum stays, but for what falls off."""
        image = np.asarray(counts, np.float64).reshape(self.shape)
        return gaussian_filter(
            image, self.sigma * narrower, mode="constant", truncate=TRUNCATED / narrower
        ).ravel()


class _Replicates:
    """Normalised densities of replicates on a grid, and their permutations."""

    def __init__(
        self,
        grid: _Grid,
        cells: np.ndarray,
        treated: np.ndarray,
        unit: np.ndarray,
        blocks: np.ndarray | None,
        permutations: int,
        seed: int,
    ) -> None:
        sides = np.zeros(unit.max() + 1, bool)
        sides[unit] = treated
        self._ways = relabelings(sides, permutations, seed, blocks)
        densities = np.empty((len(sides), grid.size), np.float32)
        for number in range(len(sides)):
            own = cells[unit == number]
            densities[number] = grid.smooth(np.bincount(own, minlength=grid.size) / len(own))
        self._densities = self._ways.centered(densities)
        self.spread = self._densities.std(axis=0)
        self.count, self.smallest_p = len(self._ways), self._ways.smallest_p
        self.treated, self.control = int(sides.sum()), int((~sides).sum())

    def differences(self) -> Iterator[np.ndarray]:
        """Yield blocks of differences (b, cells), the real one first."""
        weights = self._ways.weights.astype(np.float32)
        for start in range(0, len(weights), AT_ONCE):
            yield weights[start : start + AT_ONCE] @ self._densities


class _Patches:
    """Kernels of patches that are taken as independent; as `_Replicates` would have each."""

    treated = control = 0

    def __init__(
        self, grid: _Grid, cells: np.ndarray, treated: np.ndarray, permutations: int, seed: int
    ) -> None:
        self._grid, self._seed = grid, seed
        self._counts = np.bincount(cells, minlength=grid.size)
        self._treated = np.bincount(cells[treated], minlength=grid.size)
        self._all = grid.smooth(self._counts)
        # A Gaussian squared is one of 1 / sqrt(2) of its width.
        squares = grid.smooth(self._counts, narrower=0.5**0.5) / (4 * np.pi * grid.sigma**2)
        variance = squares / len(cells) - (self._all / len(cells)) ** 2
        self.spread = np.sqrt(np.maximum(variance, 0))
        self.count, self.smallest_p = permutations + 1, 1 / (permutations + 1)

    def differences(self) -> Iterator[np.ndarray]:
        """Yield differences (1, cells), the real one first."""
        yield self._difference(self._treated)
        random, count = np.random.default_rng(self._seed), int(self._treated.sum())
        for _ in range(self.count - 1):
            # How many of each cell's patches a shuffle of all of them calls treated.
            yield self._difference(random.multivariate_hypergeometric(self._counts, count))

    def _difference(self, treated: np.ndarray) -> np.ndarray:
        count, smooth = treated.sum(), self._grid.smooth(treated)
        others = self._counts.sum() - count
        return (smooth / count - (self._all - smooth) / others)[None]
