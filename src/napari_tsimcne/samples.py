"""Sample data: synthetic fluorescence fields with known phenotypes, and a stained tissue."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile
from scipy import ndimage
from skimage.measure import regionprops_table

PIXEL_SIZE = 0.65
"""µm, as of a 10x objective on a common camera."""

NUCLEUS_SPACING = 32
"""Mean distance between neighbouring nuclei, in pixels: a patch of this size shows one cell."""

PHENOTYPES = ("round", "elongated", "mitotic", "fragmented", "binucleate")
CHANNELS = ("DNA", "marker")


@dataclass(frozen=True)
class Field:
    """One synthetic field of view.

    ``image`` (2, Y, X) uint16, channels DNA and marker; ``labels`` (Y, X) uint16, one number a
    cell; ``truth`` one row a cell: ``label, phenotype, y, x, area_um2``.
    """

    image: np.ndarray
    labels: np.ndarray
    truth: pd.DataFrame


def synthetic_field(cells: int = 30, seed: int = 0) -> Field:
    """Draw a field of ``cells`` x ``cells`` nuclei of five phenotypes, the same for one seed.

    Cells stand on a lattice with some disorder, as on a micropatterned slide. Round nuclei have
    the marker in the cytoplasm, elongated ones in the nucleus; mitotic, fragmented (apoptotic)
    and binucleate cells differ in the shape and brightness of their DNA. Photon and read noise
    and uneven illumination are added.
    """
    random = np.random.default_rng(seed)
    side = cells * NUCLEUS_SPACING
    dna, marker = np.zeros((2, side, side), np.float32)
    labels = np.zeros((side, side), np.uint16)
    names = random.choice(PHENOTYPES, size=cells * cells)
    for number, name in enumerate(names):
        corner = np.array(divmod(number, cells)) * NUCLEUS_SPACING
        cell_dna, cell_marker = _draw_cell(name, random)
        where = tuple(slice(c, c + NUCLEUS_SPACING) for c in corner)
        dna[where] += cell_dna
        marker[where] += cell_marker
        labels[where][cell_dna > 0.15] = number + 1
    image = np.stack([_expose(dna, random), _expose(marker, random)])
    measured = pd.DataFrame(regionprops_table(labels, properties=("label", "centroid", "area")))
    truth = pd.DataFrame(
        {
            "label": measured["label"],
            "phenotype": names[measured["label"] - 1],
            "y": measured["centroid-0"],
            "x": measured["centroid-1"],
            "area_um2": measured["area"] * PIXEL_SIZE**2,
        }
    )
    return Field(image, labels, truth)


def _draw_cell(name: str, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """DNA and marker of one cell in a square of the lattice, noise-free, DNA near 1."""
    centre = (NUCLEUS_SPACING - 1) / 2 + random.uniform(-2, 2, 2)
    y, x = np.mgrid[:NUCLEUS_SPACING, :NUCLEUS_SPACING].astype(np.float32)
    y, x = y - centre[0], x - centre[1]
    angle = random.uniform(0, np.pi)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)

    def blob(radius_u: float, radius_v: float, du: float = 0, dv: float = 0) -> np.ndarray:
        distance = np.sqrt(((u - du) / radius_u) ** 2 + ((v - dv) / radius_v) ** 2)
        return 1 / (1 + np.exp((distance - 1) * 8))

    radius = random.normal(7, 0.5)
    cytoplasm = blob(radius * 1.7, radius * 1.6)
    if name == "round":
        dna = blob(radius, radius * 0.95)
        return dna * random.normal(0.8, 0.06), cytoplasm * 0.7 - 0.55 * dna
    if name == "elongated":
        dna = blob(radius * 1.35, radius * 0.65)
        return dna * random.normal(0.8, 0.06), 0.15 * cytoplasm + 0.75 * dna
    if name == "mitotic":
        dna = blob(radius * 1.05, radius * 0.32)
        return dna * random.normal(1.7, 0.1), cytoplasm * 0.45
    if name == "binucleate":
        gap = radius * 0.72
        dna = blob(radius * 0.62, radius * 0.75, gap) + blob(radius * 0.62, radius * 0.75, -gap)
        return dna * random.normal(0.8, 0.06), cytoplasm * 0.7 - 0.5 * np.minimum(dna, 1)
    dna = np.zeros_like(u)
    for _ in range(random.integers(4, 7)):
        du, dv = random.uniform(-0.8, 0.8, 2) * radius
        size = random.uniform(0.2, 0.36) * radius
        dna = np.maximum(dna, blob(size, size, du, dv))
    return dna * random.normal(1.5, 0.15), cytoplasm * 0.25


def _expose(signal: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Blur by the objective, illuminate unevenly, count photons, read out as 16 bits."""
    blurred = ndimage.gaussian_filter(np.clip(signal, 0, None), 0.8)
    rows, columns = (np.linspace(-1, 1, n) for n in blurred.shape)
    illumination = 1 - 0.12 * (rows[:, None] ** 2 + columns[None, :] ** 2)
    photons = random.poisson((blurred * illumination + 0.05) * 400)
    counts = photons * 6 + random.normal(200, 8, photons.shape)
    return np.clip(counts, 0, 65535).astype(np.uint16)


@dataclass(frozen=True)
class WrittenSample:
    """Sample images on disk, and the truth about them."""

    files: tuple[Path, ...]
    fields: dict[str, Field]

    def add_truth(self, table: pd.DataFrame) -> pd.DataFrame:
        """Add a column ``phenotype`` to a patch table: of the cell with most pixels in a patch.

        Missing where a patch shows no cell.
        """
        found: list[str | None] = []
        for row in table.itertuples():
            field = self.fields[str(row.image)]
            top, left = (round(c - (row.size - 1) / 2) for c in (row.y, row.x))
            side = round(row.size)
            window = field.labels[top : top + side, left : left + side]
            counts = np.bincount(window[window > 0])
            if not len(counts):
                found.append(None)
                continue
            at = field.truth["label"].searchsorted(counts.argmax())
            found.append(field.truth["phenotype"].iloc[at])
        return table.assign(phenotype=found)


def write_sample(folder: Path, fields: int = 2, cells: int = 30, seed: int = 0) -> WrittenSample:
    """Write synthetic fields as OME-TIFF with pixel size and channel names."""
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[str, Field] = {}
    files = []
    for number in range(fields):
        field = synthetic_field(cells, seed=seed * 1000 + number)
        path = folder / f"field-{number + 1}.ome.tif"
        tifffile.imwrite(
            path,
            field.image,
            metadata={
                "axes": "CYX",
                "PhysicalSizeX": PIXEL_SIZE,
                "PhysicalSizeXUnit": "µm",
                "PhysicalSizeY": PIXEL_SIZE,
                "PhysicalSizeYUnit": "µm",
                "Channel": {"Name": list(CHANNELS)},
            },
        )
        written[path.name] = field
        files.append(path)
    return WrittenSample(tuple(files), written)


# --- for napari's File > Open Sample ------------------------------------------------------------


def nuclei_layers() -> list[tuple[Any, dict, str]]:
    """Layer data of a synthetic field: DNA, marker, and the cells with their phenotypes."""
    field = synthetic_field()
    space = {
        "scale": (PIXEL_SIZE, PIXEL_SIZE),
        "units": ("µm", "µm"),
        "axis_labels": ("y", "x"),
    }
    images = [
        (plane, {"name": name, "colormap": colour, "blending": "additive", **space}, "image")
        for plane, name, colour in zip(
            field.image, CHANNELS, ("bop blue", "bop orange"), strict=True
        )
    ]
    labels = {"name": "cells", "visible": False, "features": field.truth, **space}
    return [*images, (field.labels, labels, "labels")]


def tissue_layers() -> list[tuple[Any, dict, str]]:
    """Layer data of scikit-image's immunohistochemistry image: colonic glands, RGB."""
    from skimage.data import immunohistochemistry

    return [(immunohistochemistry(), {"name": "immunohistochemistry", "rgb": True}, "image")]
