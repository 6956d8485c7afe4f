"""The run folder: one folder on disk holds recipe, images, patches, weights and map."""

from napari_tsimcne.runs._exploration import Autosave, open_exploration, save_exploration
from napari_tsimcne.runs._export import export_csv, save_map_figure
from napari_tsimcne.runs._files import TableWriter, written_whole
from napari_tsimcne.runs._images import ImageRecord
from napari_tsimcne.runs._process import TrainingProcess
from napari_tsimcne.runs._run import Run

__all__ = [
    "Autosave",
    "ImageRecord",
    "Run",
    "TableWriter",
    "TrainingProcess",
    "export_csv",
    "open_exploration",
    "save_exploration",
    "save_map_figure",
    "written_whole",
]
