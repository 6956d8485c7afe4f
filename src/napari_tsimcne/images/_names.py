"""When two names mean the same thing.

People, microscopes, operating systems and data managers write names in their own habits. Whatever
compares names of images, label images, files and rows of tables does it here:

- Endings that are known are taken from the end, never what stands before the first dot:
  ``drug_0.5uM`` and ``v1.2`` have none. Their case does not matter, and ``.tif``, ``.tiff`` and
  ``.ome.tif`` are one kind.
- Composed and decomposed letters are the same, and so are kinds of spaces. Case is looked at
  first, and passed over where nothing else fits.
- ``#2`` counts as the number of a series only behind the ending of a file, where this program puts
  it: ``mouse #1.tif`` is an ordinary name.
- Folders tell names apart as far as both have them.
- What fits several things is reported with all of them.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path, PurePath
from urllib.parse import unquote

from napari_tsimcne.images._wells import well_place

_KINDS = {
    "tiff": ("tif", "tiff", "btf", "tf2", "tf8", "ome"),
    "jpeg": ("jpg", "jpeg", "jpe"),
}
_OTHERS = re.findall(r"\w+", """
    bmp czi dv flex gif h5 hdf5 ics ims lei lif lsm mat mha mrc nd2 ndpi nii npy npz nrrd oib oif
    oir pbm pgm png ppm qptiff r3d scn sld sldy stk svs vsi webp zarr zvi
""")  # fmt: skip
KIND_OF_ENDING = {
    **{ending: kind for kind, endings in _KINDS.items() for ending in endings},
    **{ending: ending for ending in _OTHERS},
}
"""Kinds of files by their endings, without the dot and in small letters."""

_ENDINGS = "|".join(sorted(KIND_OF_ENDING, key=len, reverse=True))
_ENDING = re.compile(rf"(?<=.)(?:\.ome)?\.({_ENDINGS})(?:\.gz)?$", re.IGNORECASE)
_SERIES = re.compile(rf"(?<=\.)({_ENDINGS})(?:\.gz)?#([1-9][0-9]*)$", re.IGNORECASE)

# --- text -----------------------------------------------------------------------------------------

_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"))
_SPACES = re.compile(r"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")


def unified(text: str) -> str:
    """Return a text with composed letters, ordinary spaces, and nothing invisible."""
    if text.isascii():
        return text
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text.translate(_INVISIBLE)))


def tidy(text: str) -> str:
    """Return a text `unified`, without spaces at its ends."""
    return unified(text).strip()


def folded(text: str) -> str:
    """Return a tidy text without the difference between large and small letters."""
    return unicodedata.normalize("NFC", tidy(text).casefold())


def shown(name: str | os.PathLike[str]) -> str:
    """Return a name as text that can be shown and stored.

    Bytes of a file's name that are no UTF-8 become ``%E9``, as in addresses of the web.
    """
    text = os.fspath(name)
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join(_escaped(letter) for letter in text)
    return text


def _escaped(letter: str) -> str:
    code = ord(letter)
    if not 0xD800 <= code <= 0xDFFF:
        return letter
    return f"%{code - 0xDC00:02X}" if 0xDC80 <= code <= 0xDCFF else f"%u{code:04X}"


def oddities(one: str, other: str) -> str:
    """Say which letters that look like others, or like none, tell two names apart; empty: none."""
    odd = [
        f"'{letter}' is U+{ord(letter):04X} {unicodedata.name(letter, 'without a name').lower()}"
        for letter in dict.fromkeys(one + other)
        if (letter in one) != (letter in other) and (ord(letter) > 126 or ord(letter) < 32)
    ]
    return ", ".join(odd[:3])


def unpadded(text: str) -> str:
    """Return a text without zeros before whole numbers: those of 0.05 stay."""
    return re.sub(r"(?<![0-9.,])0+(?=[0-9])", "", text)


# --- parts of a name ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Name:
    """A name of an image or of a file, in parts.

    ``inner``: place within the file, as of a field of a plate; ``kind`` of file, empty where the
    name has no ending that is known.
    """

    folders: tuple[str, ...]
    file: str
    stem: str
    kind: str
    inner: tuple[str, ...] = ()
    series: int = 0


@lru_cache(maxsize=1 << 16)
def parse(name: str) -> Name:
    """Take a name apart: with folders of any system or none, quoted, or as an address of a file."""
    text = tidy(name)
    text = tidy(text.strip("\"'")) or text
    if text.lower().startswith("file:"):
        text = unquote(re.sub(r"^file:(//[^/]*(?=/))?", "", text, flags=re.IGNORECASE))
    text = re.sub(r"^/?[A-Za-z]:(?=[\\/])", "", text.replace("\\", "/"))
    parts = [part for part in text.split("/") if part not in ("", ".")] or [text]
    if ".." in parts[:-1]:
        parts = parts[len(parts) - parts[::-1].index("..") :]
    at = max((i for i, part in enumerate(parts) if _is_zarr(part)), default=len(parts) - 1)
    file, inner = parts[at], tuple(parts[at + 1 :])
    match = _SERIES.search(file)
    series = int(match[2]) if match else 0
    file = file[: file.rindex("#")] if match else file
    stem, kind = split_ending(file)
    return Name(tuple(parts[:at]), file, stem, kind, inner, series)


def _is_zarr(part: str) -> bool:
    return part.lower().endswith(".zarr")


def split_ending(file: str) -> tuple[str, str]:
    """Return a file's name without its ending, and its kind; empty where it has none."""
    match = _ENDING.search(file)
    return (file[: match.start()], KIND_OF_ENDING[match[1].lower()]) if match else (file, "")


def stem(name: str) -> str:
    """Return the last part of a name without the ending of a file."""
    return split_ending(PurePath(name).name or name)[0]


def without_series(name: str) -> str:
    """Return a name without the number of a series that this program has put there."""
    return name[: name.rindex("#")] if _SERIES.search(name) else name


def well_of_image(name: str) -> tuple[int, int] | None:
    """Row and column of the well that an image is called by: ``A01.tif``, ``p.zarr/A/1/0``."""
    parsed = parse(name)
    if len(parsed.inner) >= 2:
        return well_place("/".join(parsed.inner[:2]))
    return well_place(parsed.stem)


# --- label images ---------------------------------------------------------------------------------

_LABELS = (
    r"cp_?masks?|masks?|labels?|label[ _-]?(?:image|map|mask)s?|labell?ed|lbls?|lab|seg|segs|segm|"
    r"segmentations?|segmented|simple[ _]segmentation|object[ _](?:identities|predictions)|"
    r"instances?|inst|objects?|obj|nuclei|nucleus|nuc|cells?|cyto|cytoplasm|stardist|cellpose|"
    r"ground[ _-]?truth|gt|annotations?|watershed|rois?"
)
_OF_LABELS = re.compile(rf"(?:^|[ _.\-]+)[(\[]?(?:{_LABELS})[)\]]?$", re.IGNORECASE)
_BEFORE_LABELS = re.compile(
    r"^(?:cp_?masks?|masks?|labels?|(?:man_)?seg|segmentation|segmented)"
    r"(?:[ _\-]+(?:of )?|(?=[0-9]))",
    re.IGNORECASE,
)
_OF_IMAGES = re.compile(
    r"(?:^|[ _.\-]+)(?:img|images?|im|raw|orig|original)$"
    r"|^(?:img|images?|im|raw)(?:[ _\-]+|(?=[0-9]))|^t(?=[0-9])",
    re.IGNORECASE,
)


def label_stems(file: str) -> list[str]:
    """Return what the image of a label image may be called, without ending; the longest first.

    ``A01_nuclei_labels.tif`` may belong to an image of this name, to ``A01_nuclei`` or ``A01``.
    """
    found = [tidy(split_ending(file)[0])]
    while (match := _OF_LABELS.search(found[-1])) is not None:
        # Programs append to the whole name of a file: A01.ome_cp_masks.tif, A01.tif_mask.png.
        found.append(tidy(split_ending(found[-1][: match.start()])[0]))
    match = _BEFORE_LABELS.match(found[0])
    if match is not None:
        found.append(tidy(split_ending(found[0][match.end() :])[0]))
    return list(dict.fromkeys(found))


def image_stems(file: str) -> list[str]:
    """Return what an image is called without ending, then without a word such as ``_img``."""
    whole = tidy(split_ending(file)[0])
    return list(dict.fromkeys([whole, _OF_IMAGES.sub("", whole, count=1)]))


# --- files ----------------------------------------------------------------------------------------


def seen(path: str | os.PathLike[str]) -> Path:
    """Return the whole path of a file by the names that are seen: links are not followed.

    Data managers such as git-annex and DataLad keep contents under names that say nothing, and
    links to them under names that do.
    """
    whole = Path(path).expanduser().absolute()
    # What is above a link is not where it leads to.
    return whole.parent.resolve() / whole.name if ".." in whole.parts else whole


def spellings(path: Path) -> list[Path]:
    """Return a path, and as other systems spell its letters: composed or decomposed."""
    text = str(path)
    forms = [text, *(unicodedata.normalize(form, text) for form in ("NFC", "NFD"))]
    return [Path(form) for form in dict.fromkeys(forms)]


# --- which of some names is meant -----------------------------------------------------------------


class NameIndex:
    """Finds which of some names of images a user means.

    ``names``: of files or layers, or paths, with slashes or backslashes between their parts.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)
        self._whole: dict[str, list[int]] = defaultdict(list)
        self._by_stem: dict[str, list[tuple[Name, int]]] = defaultdict(list)
        self._unpadded: dict[str, list[tuple[Name, int]]] = defaultdict(list)
        for number, name in enumerate(self._names):
            self._whole[name].append(number)
            for one in _readings(name):
                self._by_stem[folded(one.stem)].append((one, number))
                plain = _without_padding(one)
                self._unpadded[plain.stem].append((plain, number))

    def find(self, name: str) -> list[int]:
        """Return the names that are the same, else those that mean the same, most alike first.

        First the whole name counts, then its ending need not be written the same, then it may be
        missing; last, the case of letters is passed over.
        """
        if name in self._whole:
            return self._whole[name]
        candidates: dict[int, int] = {}
        for key in _readings(name):
            for one, number in self._by_stem.get(folded(key.stem), ()):
                rank = _likeness(key, one)
                if rank is not None:
                    candidates[number] = min(rank, candidates.get(number, rank))
        best = min(candidates.values(), default=0)
        return sorted(number for number, rank in candidates.items() if rank == best)

    def find_unpadded(self, name: str) -> list[int]:
        """Return the names that are the same but for zeros before numbers, as A1_s1 and A01_s01.

        For names that `find` does not find: where one of two habits is used throughout.
        """
        plain = [_without_padding(key) for key in _readings(name)]
        found = {
            number
            for key in plain for one, number in self._unpadded.get(key.stem, ())
            if _likeness(key, one) is not None
        }  # fmt: skip
        return sorted(found)

    def near(self, name: str) -> str:
        """Say which name comes closest to one that is not found, for a message; empty: none."""
        return near(name, self._names)


def near(name: str, names: Sequence[str], of_labels: bool = False) -> str:
    """Say which of some names comes closest to one, for a message; empty: none does.

    ``of_labels``: the names are of label images, and it is one of an image.
    """
    stems = {one: parse(one).stem for one in reversed(names)}
    if of_labels:
        stems = {one: label_stems(parse(one).file)[-1] for one in stems}
    by_stem = {folded(own): one for one, own in stems.items()}
    wanted = parse(name).stem
    same_well = [
        own for own in by_stem if well_place(own) and well_place(own) == well_place(wanted)
    ]
    close = same_well or get_close_matches(folded(wanted), by_stem, n=1, cutoff=0.6)
    if not close:
        return ""
    found = by_stem[close[0]]
    odd = oddities(tidy(name), tidy(found))
    return f"did you mean '{shown(found)}'{f' ({odd})' if odd else ''}?"


def _readings(name: str) -> list[Name]:
    """Take a name apart, also as if what lies in a file were folders."""
    parsed = parse(name)
    if not parsed.inner:
        return [parsed]
    *between, last = parsed.inner
    inside = Name((*parsed.folders, parsed.file, *between), last, last, "", (), parsed.series)
    return [parsed, inside]


def _without_padding(name: Name) -> Name:
    folders, inner = (
        tuple(unpadded(folded(part)) for part in parts) for parts in (name.folders, name.inner)
    )
    return replace(name, folders=folders, stem=unpadded(folded(name.stem)), inner=inner)


def _likeness(one: Name, other: Name) -> int | None:
    """Rank how alike two names are that have the same folded stem, 0 the most; None: not alike."""
    if one.series != other.series or (one.kind and other.kind and one.kind != other.kind):
        return None
    rank = 0 if one.file == other.file else 1 if one.kind == other.kind else 2
    exact = one.stem == other.stem and one.inner == other.inner
    if exact and _end_same(one.folders, other.folders):
        return rank
    own, others = map(folded, one.inner), map(folded, other.inner)
    if list(own) != list(others):
        return None
    fold = [tuple(map(folded, name.folders)) for name in (one, other)]
    return 3 + rank if _end_same(*fold) else None


def _end_same(a: Sequence[str], b: Sequence[str]) -> bool:
    shared = min(len(a), len(b))
    return shared == 0 or a[-shared:] == b[-shared:]
