"""Files for other programs and people: tables, crops, label images, figures, pages."""

from napari_tsimcne.export._anndata import export_anndata
from napari_tsimcne.export._conditions import (
    ConditionColumns,
    ConditionResults,
    condition_results,
    export_conditions,
    write_conditions,
)
from napari_tsimcne.export._excerpt import Excerpt
from napari_tsimcne.export._kinds import (
    KINDS,
    Kind,
    Written,
    default_name,
    export,
    kind_of,
)
from napari_tsimcne.export._outputs import check_outside, new_file, new_folder
from napari_tsimcne.export._pictures import Pictures, patch_pictures, patch_side
from napari_tsimcne.export._tables import export_table
from napari_tsimcne.export.figures._annotated_map import export_annotated_map
from napari_tsimcne.export.figures._condition_figures import (
    difference_figure,
    dose_figure,
    plate_figure,
    shares_figure,
)
from napari_tsimcne.export.figures._map_figure import export_figure
from napari_tsimcne.export.methods._methods import export_methods, methods_text
from napari_tsimcne.export.pages._check_report import check_report_path, export_check_report
from napari_tsimcne.export.pages._html_map import export_html_map
from napari_tsimcne.export.patches._crops import export_crops
from napari_tsimcne.export.patches._geojson import export_geojson
from napari_tsimcne.export.patches._label_images import export_label_images

__all__ = [
    "KINDS",
    "ConditionColumns",
    "ConditionResults",
    "Excerpt",
    "Kind",
    "Pictures",
    "Written",
    "check_outside",
    "check_report_path",
    "condition_results",
    "default_name",
    "difference_figure",
    "dose_figure",
    "export",
    "export_anndata",
    "export_annotated_map",
    "export_check_report",
    "export_conditions",
    "export_crops",
    "export_figure",
    "export_geojson",
    "export_html_map",
    "export_label_images",
    "export_methods",
    "export_table",
    "kind_of",
    "methods_text",
    "new_file",
    "new_folder",
    "patch_pictures",
    "patch_side",
    "plate_figure",
    "shares_figure",
    "write_conditions",
]
