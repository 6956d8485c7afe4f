"""The map explored: selection, clusters, colours, neighbours, checks. Models only, no window."""

from napari_tsimcne.explore._assign import assign_by_number
from napari_tsimcne.explore._channel_colors import channel_colormaps, channel_colors
from napari_tsimcne.explore._classes import MISSING_COLOR, PLAIN_COLOR
from napari_tsimcne.explore._cluster_table import (
    cluster_table,
    groupings,
    medoids,
    value_counts,
)
from napari_tsimcne.explore._clustering import (
    Method,
    automatic_clusters,
    counted,
    doubts,
    percent,
    reduced,
)
from napari_tsimcne.explore._clusters import NONE, Cluster, Clusters
from napari_tsimcne.explore._coloring import COLOR_KINDS, Category, Coloring, ColorKind
from napari_tsimcne.explore._colors import DIVERGING, class_colors, rgba
from napari_tsimcne.explore._design import BLOCKS, splitting, word_of
from napari_tsimcne.explore._exploration import Exploration
from napari_tsimcne.explore._find import find, written
from napari_tsimcne.explore._history import History
from napari_tsimcne.explore._lasso import points_in_lasso
from napari_tsimcne.explore._modes import cluster_modes
from napari_tsimcne.explore._neighbors import similar
from napari_tsimcne.explore._ordering import (
    by_column,
    by_similarity,
    representative,
    shuffled,
    unusual,
)
from napari_tsimcne.explore._origin import Origin
from napari_tsimcne.explore._pictures import composite, rgb_pictures
from napari_tsimcne.explore._raster import (
    LONGEST,
    NOTHING,
    PaintedArray,
    Raster,
    pixels_a_window,
    values_of_labels,
)
from napari_tsimcne.explore._selection import Mode, Selection
from napari_tsimcne.explore._thumbnails import lay_out, without_overlap
from napari_tsimcne.explore.checks._aspects import Aspect, aspects
from napari_tsimcne.explore.checks._checks import MapChecks
from napari_tsimcne.explore.checks._confounds import Confounds, confounds
from napari_tsimcne.explore.checks._evaluate import Evaluation, evaluate, knn_accuracy
from napari_tsimcne.explore.checks._faithfulness import Faithfulness, faithfulness
from napari_tsimcne.explore.checks._findings import Finding, Severity, Stability, Topic, in_percent
from napari_tsimcne.explore.checks._questions import shown
from napari_tsimcne.explore.checks._stability import (
    NEIGHBORS,
    chance,
    cluster_stability,
    nearest,
    shared,
    stability,
    stability_text,
    together,
)
from napari_tsimcne.explore.checks._suspects import Suspects, suspects
from napari_tsimcne.explore.checks._truth import TruthScores, truth_scores
from napari_tsimcne.explore.conditions._conditions import (
    compare_conditions,
    comparison_doubts,
    condition_shares,
    ordered_texts,
    replicate_shares,
    share_doubts,
)
from napari_tsimcne.explore.conditions._difference import (
    DifferenceMap,
    difference_map,
    difference_text,
)
from napari_tsimcne.explore.conditions._doses import dose_shares, dose_trends, replicate_dose_shares
from napari_tsimcne.explore.conditions._plate import plate_of, plate_table
from napari_tsimcne.explore.conditions._results import (
    ALL_OTHERS,
    ConditionColumns,
    ConditionResults,
    condition_results,
)
from napari_tsimcne.explore.conditions._sentences import (
    compared_sentences,
    plate_sentence,
    trend_sentences,
)

__all__ = [
    "ALL_OTHERS",
    "BLOCKS",
    "COLOR_KINDS",
    "DIVERGING",
    "LONGEST",
    "MISSING_COLOR",
    "NEIGHBORS",
    "NONE",
    "NOTHING",
    "PLAIN_COLOR",
    "Aspect",
    "Category",
    "Cluster",
    "Clusters",
    "ColorKind",
    "Coloring",
    "ConditionColumns",
    "ConditionResults",
    "Confounds",
    "DifferenceMap",
    "Evaluation",
    "Exploration",
    "Faithfulness",
    "Finding",
    "History",
    "MapChecks",
    "Method",
    "Mode",
    "Origin",
    "PaintedArray",
    "Raster",
    "Selection",
    "Severity",
    "Stability",
    "Suspects",
    "Topic",
    "TruthScores",
    "aspects",
    "assign_by_number",
    "automatic_clusters",
    "by_column",
    "by_similarity",
    "chance",
    "channel_colormaps",
    "channel_colors",
    "class_colors",
    "cluster_modes",
    "cluster_stability",
    "cluster_table",
    "compare_conditions",
    "compared_sentences",
    "comparison_doubts",
    "composite",
    "condition_results",
    "condition_shares",
    "confounds",
    "counted",
    "difference_map",
    "difference_text",
    "dose_shares",
    "dose_trends",
    "doubts",
    "evaluate",
    "faithfulness",
    "find",
    "groupings",
    "in_percent",
    "knn_accuracy",
    "lay_out",
    "medoids",
    "nearest",
    "ordered_texts",
    "percent",
    "pixels_a_window",
    "plate_of",
    "plate_sentence",
    "plate_table",
    "points_in_lasso",
    "reduced",
    "replicate_dose_shares",
    "replicate_shares",
    "representative",
    "rgb_pictures",
    "rgba",
    "share_doubts",
    "shared",
    "shown",
    "shuffled",
    "similar",
    "splitting",
    "stability",
    "stability_text",
    "suspects",
    "together",
    "trend_sentences",
    "truth_scores",
    "unusual",
    "value_counts",
    "values_of_labels",
    "without_overlap",
    "word_of",
    "written",
]
