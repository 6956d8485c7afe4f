"""PNG, JPEG, BMP, WebP and PPM files, which are decoded as a whole."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from napari_tsimcne.errors import InputError
from napari_tsimcne.images._axes import size_of
from napari_tsimcne.images._messages import no_warnings
from napari_tsimcne.images._notes import COLOURS_AS_BYTES
from napari_tsimcne.images._source import ImageSource, Indices, default_channel_names
from napari_tsimcne.images._whole import MOST_BYTES, check_ratio

_ORIENTATION = 0x0112


def open_pillow(path: Path, name: str, kind: str) -> list[ImageSource]:
    """Open a file of one of Pillow's formats, ``kind`` by Pillow's name; reads its header only.

    Raises
    ------
    InputError
        Where the image is too large to be decoded as a whole.
    """
    with _header(path, kind) as image:
        stored = _decoder(image)  # gone once anything is decoded, be it EXIF
        width, height = image.size
        if _orientation(image) >= 5:  # turned by a quarter when shown
            width, height = height, width
        mode, dtype = _kept(image)
        alpha = mode in ("LA", "RGBA")
        frames = _frames(image)
        # Frames of an animation are shown over each other, as colours.
        paletted = image.mode in ("P", "PA") and frames == 1
        halved = mode[:1] == "R" and stored.endswith(("16B", "16L", "16N"))
    rgb = mode in ("RGB", "RGBA")
    axes = "T" * (frames > 1) + "YX" + "S" * rgb
    shape = (frames,) * (frames > 1) + (height, width) + (3,) * rgb
    decoded = size_of((frames, height, width, len(mode) if alpha or rgb else 1), dtype.itemsize)
    if decoded > MOST_BYTES:
        raise InputError(_too_large(decoded / 2**30))
    if kind in ("PNG", "JPEG"):
        check_ratio(decoded, path.stat().st_size)
    source = ImageSource(
        name=name,
        axes=axes,
        shape=shape,
        dtype=dtype,
        channel_names=default_channel_names(axes, shape),
        load=partial(_pixels, path, kind),
        path=path,
        alpha=partial(_alpha, path, kind) if alpha else None,
        notes=(COLOURS_AS_BYTES,) * halved,
        indices=Indices(partial(_indices, path, kind), np.dtype(np.uint8)) if paletted else None,
    )
    return [source]


def _header(path: Path, kind: str) -> Image.Image:
    try:
        with no_warnings():
            return Image.open(path, formats=[kind])
    except Image.DecompressionBombError:
        raise InputError(_too_large(None)) from None
    except UnidentifiedImageError:
        raise InputError(f"its {kind} header is broken: save it anew") from None


def _too_large(gibibytes: float | None) -> str:
    size = "" if gibibytes is None else f", {gibibytes:.1f} GiB,"
    return (
        f"it is too large{size} for a format that is read as a whole: save it as a tiled TIFF "
        "or OME-Zarr"
    )


def _orientation(image: Image.Image) -> int:
    try:
        with no_warnings():
            return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # broken EXIF data does not make the pixels wrong
        return 1


def _decoder(image: Image.Image) -> str:
    """Return how samples are stored, such as ``RGB;16B``; nothing where it is not known."""
    tiles = getattr(image, "tile", None)
    return str(tiles[0][-1]) if tiles else ""


def _frames(image: Image.Image) -> int:
    """Count the pictures of an animation; a JPEG's further ones are previews."""
    return 1 if image.format in ("JPEG", "MPO") else int(getattr(image, "n_frames", 1))


def _kept(image: Image.Image) -> tuple[str, np.dtype]:
    """Mode and dtype that the pixels are brought to."""
    mode = image.mode
    if mode == "1":
        return mode, np.dtype(bool)
    if mode.startswith("I"):  # 16 bits: Pillow has 32-bit integers for them in some formats
        return mode, np.dtype(np.uint16)
    if mode == "F":
        return mode, np.dtype(np.float32)
    transparent = mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info
    base = "L" if mode in ("L", "LA", "La") else "RGB"
    return base + "A" * transparent, np.dtype(np.uint8)


def _pixels(path: Path, kind: str) -> np.ndarray:
    return _decoded(path, kind, path.stat().st_mtime_ns)[0]


def _alpha(path: Path, kind: str) -> np.ndarray | None:
    return _decoded(path, kind, path.stat().st_mtime_ns)[1]


def _indices(path: Path, kind: str) -> np.ndarray:
    return _decoded_indices(path, kind, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _decoded_indices(path: Path, kind: str, modified: int) -> np.ndarray:
    """Values that stand for colours, (h, w) uint8."""
    with _header(path, kind) as image:
        values = _frame(image, image.mode, np.dtype(np.uint8))
        return values[..., 0] if values.ndim == 3 else values  # with alpha


# Patches of one image are read one after another, the next image's perhaps at the same time.
@lru_cache(maxsize=2)
def _decoded(path: Path, kind: str, modified: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Pixels and alpha; of an animation along a first axis."""
    with _header(path, kind) as image:
        mode, dtype = _kept(image)
        frames = []
        for number in range(_frames(image)):
            if number:
                image.seek(number)
            frames.append(_frame(image, mode, dtype))
    pixels = np.stack(frames) if len(frames) > 1 else frames[0]
    if mode == "LA":
        return pixels[..., 0], pixels[..., 1]
    return (pixels[..., :3], pixels[..., 3]) if mode == "RGBA" else (pixels, None)


def _frame(image: Image.Image, mode: str, dtype: np.dtype) -> np.ndarray:
    image.load()
    upright = ImageOps.exif_transpose(image) if _orientation(image) > 1 else image
    if upright.mode != mode:
        upright = upright.convert(mode)
    return np.asarray(upright).astype(dtype, copy=False)
