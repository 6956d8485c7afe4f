"""Units of length: the many names of each brought to one, and what a pixel size can be."""

from __future__ import annotations

import re
import unicodedata
from math import isfinite
from typing import Any

PIXEL: tuple[tuple[float, float], str] = ((1.0, 1.0), "pixel")
"""The pixel size of an image that does not say it."""

_INCH = 25_400.0
_METRE = 1e6
_PREFIXES = {
    "Y": ("yotta", 1e24), "Z": ("zetta", 1e21), "E": ("exa", 1e18), "P": ("peta", 1e15),
    "T": ("tera", 1e12), "G": ("giga", 1e9), "M": ("mega", 1e6), "k": ("kilo", 1e3),
    "h": ("hecto", 1e2), "da": ("deca", 1e1), "": ("", 1.0), "d": ("deci", 1e-1),
    "c": ("centi", 1e-2), "m": ("milli", 1e-3), "µ": ("micro", 1e-6), "n": ("nano", 1e-9),
    "p": ("pico", 1e-12), "f": ("femto", 1e-15), "a": ("atto", 1e-18), "z": ("zepto", 1e-21),
    "y": ("yocto", 1e-24),
}  # fmt: skip

MICROMETRES: dict[str, float] = {
    **{f"{prefix}m": factor * _METRE for prefix, (_, factor) in _PREFIXES.items()},
    "Å": 1e-4, "in": _INCH, "ft": 12 * _INCH, "yd": 36 * _INCH, "mi": 63_360 * _INCH,
    "thou": _INCH / 1e3, "li": _INCH / 12, "link": 7.92 * _INCH, "pt": _INCH / 72,
    "ua": 149_597_870_700e6, "ly": 9_460_730_472_580_800e6, "pc": 30_856_775_814_913_673e6,
}  # fmt: skip
"""Micrometres in each unit of length that OME and OME-Zarr list, by its standard name."""

MICROMETRES |= {unit: float(f"{factor:.15g}") for unit, factor in MICROMETRES.items()}

_NAMES = {
    **{
        f"{prefix}m": tuple(f"{word}{metre}" for metre in ("meter", "metre", "meters", "metres"))
        for prefix, (word, _) in _PREFIXES.items()
    },
    "Å": ("angstrom", "angstroms", "ångström", "ångströms", "ångstrom"),
    "in": ("inch", "inches", '"'),
    "ft": ("foot", "feet"), "yd": ("yard", "yards"), "mi": ("mile", "miles"),
    "thou": ("mil", "mils"), "li": ("line", "lines"), "pt": ("point", "points"),
    "ua": ("astronomical_unit", "astronomical unit", "au"), "ly": ("light_year", "light year"),
    "pc": ("parsec", "parsecs"),
    "pixel": ("pixels", "px", "css_pixel", "", "none", "dimensionless", "reference frame",
              "reference_frame", "referenceframe"),
}  # fmt: skip
_FURTHER = {
    "µm": ("um", "micron", "microns", "mikrometer", "mikron", "&micro;m", "Âµm"),
    "dam": ("dekameter", "dekametre"), "fm": ("fermi",),
}  # fmt: skip
_UNITS = {name: unit for names in (_NAMES, _FURTHER) for unit, all_names in names.items()
          for name in (unit, *all_names)}  # fmt: skip
_SHORT_IN_ANY_CASE = {"nm", "um", "µm", "mm", "cm", "px"}
"""Further units of two letters mean another in capitals, as pm and Pm."""

_CODE = re.compile(r"\\u([0-9a-fA-F]{4})")

SMALLEST, LARGEST = 1e-7, 1e9
"""Sides of a pixel in µm, beyond which a file that states them is not believed: 0.1 pm and 1 km."""


def standard_unit(name: Any) -> str:
    """Return a key of `MICROMETRES` or ``pixel``; an unknown unit as it is."""
    # ImageJ writes letters that are not ASCII by their codes.
    text = _CODE.sub(lambda code: chr(int(code[1], 16)), str("" if name is None else name))
    text = unicodedata.normalize("NFKC", text).strip().strip("\0")
    # Of the two letters that look the same, the micro sign is the standard name's.
    text = text.replace("μ", "µ")
    lower = text.lower()
    found = _UNITS.get(text)
    if found is None and (len(text) > 2 or lower in _SHORT_IN_ANY_CASE):
        found = _UNITS.get(lower)
    return text if found is None else found


def pixel_size(
    y: Any, x: Any, y_unit: Any = "µm", x_unit: Any = "µm"
) -> tuple[tuple[float, float], str]:
    """Size along (y, x) and its unit; `PIXEL` where one is missing or cannot be true."""
    return stated_pixel_size(y, x, y_unit, x_unit)[:2]


def stated_pixel_size(
    y: Any, x: Any, y_unit: Any = "µm", x_unit: Any = "µm"
) -> tuple[tuple[float, float], str, str]:
    """Size along (y, x), its unit, and a note: why what is stated is not believed, else empty.

    A size is believed above 0, finite, in a known unit, and between `SMALLEST` and `LARGEST`;
    else it is `PIXEL`. One that is not stated has no note.
    """
    if y is None or x is None:
        return (*PIXEL, "" if y is None and x is None else "it states one side of a pixel only")
    units = standard_unit(y_unit), standard_unit(x_unit)
    try:
        sizes = float(y), float(x)
    except (TypeError, ValueError):
        return (*PIXEL, f"it states pixels of {y} x {x}, which are no numbers")
    stated = f"it states pixels of {y} x {x} {units[0]}"
    if not all(isfinite(size) and size > 0 for size in sizes):
        return (*PIXEL, f"{stated}: a size must be above 0")
    if units == ("pixel", "pixel"):
        return sizes, "pixel", ""
    unknown = [unit for unit in units if unit not in MICROMETRES]
    if unknown:
        return (*PIXEL, f"{stated}, and '{unknown[0]}' is no unit of length that is known")
    in_micrometres = [size * MICROMETRES[unit] for size, unit in zip(sizes, units, strict=True)]
    if not all(SMALLEST <= size <= LARGEST for size in in_micrometres):
        return (*PIXEL, f"{stated}, which cannot be true")
    if units[0] == units[1]:
        return sizes, units[0], ""
    return (in_micrometres[0], in_micrometres[1]), "µm", ""


def in_micrometres(size: tuple[float, float], unit: str) -> tuple[tuple[float, float], str]:
    """Return a pixel size in µm, of whichever unit of length; as it is where it has none."""
    if unit not in MICROMETRES:
        return size, unit
    factor = MICROMETRES[unit]
    return (size[0] * factor, size[1] * factor), "µm"
