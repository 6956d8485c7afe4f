"""Files for other programs and people: tables, crops, label images, figures, pages."""

from napari_tsimcne.export._excerpt import Excerpt
from napari_tsimcne.export._outputs import new_file, new_folder
from napari_tsimcne.export._pictures import Pictures, patch_pictures

__all__ = ["Excerpt", "Pictures", "new_file", "new_folder", "patch_pictures"]
