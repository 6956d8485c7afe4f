"""The run folder: one folder on disk holds recipe, images, patches, weights and map."""

from napari_tsimcne.runs._additions import (
    Addition,
    addition_names,
    check_fits,
    complete_addition,
    cut_addition,
    new_addition,
    open_addition,
    open_cut,
)
from napari_tsimcne.runs._checks import check_run
from napari_tsimcne.runs._embedding_process import EmbeddingProcess
from napari_tsimcne.runs._exploration import Autosave, open_exploration, save_exploration
from napari_tsimcne.runs._extended import (
    ADDED_COLUMNS,
    ExtendedRun,
    StackedStore,
    extended,
    given_name,
    images_by_part,
    own_run,
    refused_additions,
)
from napari_tsimcne.runs._files import TableWriter, written_whole
from napari_tsimcne.runs._images import ImageRecord
from napari_tsimcne.runs._missing import locate_images, missing_images
from napari_tsimcne.runs._recent import (
    UnfinishedRun,
    forget_run,
    is_run,
    recent_runs,
    remember_run,
    unfinished_runs,
)
from napari_tsimcne.runs._run import MAP_COLUMNS, Run
from napari_tsimcne.runs._run_info import Learnt, read_info, read_recipe, stored_format
from napari_tsimcne.runs._seeds import (
    Comparison,
    compare_seeds,
    next_seed,
    seed_run,
    seed_runs,
    stability_column,
    training_seconds,
    with_seed,
    with_stability,
)
from napari_tsimcne.runs._training_process import TrainingProcess
from napari_tsimcne.runs._training_record import EventReader, is_training, recorded_training
from napari_tsimcne.runs._trust import check_tensors

__all__ = [
    "ADDED_COLUMNS",
    "MAP_COLUMNS",
    "Addition",
    "Autosave",
    "Comparison",
    "EmbeddingProcess",
    "EventReader",
    "ExtendedRun",
    "ImageRecord",
    "Learnt",
    "Run",
    "StackedStore",
    "TableWriter",
    "TrainingProcess",
    "UnfinishedRun",
    "addition_names",
    "check_fits",
    "check_run",
    "check_tensors",
    "compare_seeds",
    "complete_addition",
    "cut_addition",
    "extended",
    "forget_run",
    "given_name",
    "images_by_part",
    "is_run",
    "is_training",
    "locate_images",
    "missing_images",
    "new_addition",
    "next_seed",
    "open_addition",
    "open_cut",
    "open_exploration",
    "own_run",
    "read_info",
    "read_recipe",
    "recent_runs",
    "recorded_training",
    "refused_additions",
    "remember_run",
    "save_exploration",
    "seed_run",
    "seed_runs",
    "stability_column",
    "stored_format",
    "training_seconds",
    "unfinished_runs",
    "with_seed",
    "with_stability",
    "written_whole",
]
