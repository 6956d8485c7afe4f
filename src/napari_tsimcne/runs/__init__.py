"""The run folder: one folder on disk holds recipe, images, patches, weights and map."""

from napari_tsimcne.runs._exploration import Autosave, open_exploration, save_exploration
from napari_tsimcne.runs._export import export_csv, save_map_figure
from napari_tsimcne.runs._files import TableWriter, written_whole
from napari_tsimcne.runs._images import ImageRecord
from napari_tsimcne.runs._run import Run
from napari_tsimcne.runs._training_process import TrainingProcess
from napari_tsimcne.runs._training_record import EventReader, is_training, recorded_training

__all__ = [
    "Autosave",
    "EventReader",
    "ImageRecord",
    "Run",
    "TableWriter",
    "TrainingProcess",
    "export_csv",
    "is_training",
    "open_exploration",
    "recorded_training",
    "save_exploration",
    "save_map_figure",
    "written_whole",
]
