"""What every figure must be."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def assert_whole(figure: Figure) -> None:
    """Nothing of a figure is cut off at its edges."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    box = figure.get_tightbbox(canvas.get_renderer())
    assert box.x0 > -0.02 and box.x1 < figure.get_figwidth() + 0.02
    assert box.y0 > -0.02 and box.y1 < figure.get_figheight() + 0.02
