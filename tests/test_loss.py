import math

import pytest
import torch
from torch.nn import functional as F

from napari_tsimcne.learning import cauchy_info_nce, cosine_info_nce


def golden_views(factor=1.0):
    i = torch.arange(8, dtype=torch.float64)
    a = torch.stack([torch.sin(i), torch.cos(2 * i)], dim=1)
    return a * factor, (a + torch.tensor([0.1, -0.1], dtype=torch.float64)) * factor


@pytest.mark.parametrize(
    ("loss", "factor", "expected"),
    [
        (cauchy_info_nce, 1, 1.9361346126),
        (cosine_info_nce, 1, 1.5188460552),
        (cauchy_info_nce, 10, 0.7044749005),
        (cosine_info_nce, 10, 1.5188460552),
    ],
)
@pytest.mark.parametrize("dimensions", [2, 128])
def test_losses_reproduce_the_golden_values(loss, factor, expected, dimensions):
    a, c = (F.pad(view, (0, dimensions - 2)) for view in golden_views(factor))
    # Values are given to ten decimals.
    assert float(loss(a, c)) == pytest.approx(expected, abs=1e-9)


def test_cauchy_is_the_formula_of_the_paper():
    a, c = (torch.randn(9, 5, dtype=torch.float64, generator=torch.manual_seed(1)) for _ in "ac")

    def s(x, y):
        return 1 / (1 + float(((x - y) ** 2).sum()))

    b, expected = len(a), 0.0
    for i in range(b):
        expected -= math.log(s(a[i], c[i])) / b
        from_c = sum(s(c[i], a[j]) for j in range(b)) + sum(
            s(c[i], c[j]) for j in range(b) if j != i
        )
        from_a = sum(s(a[i], c[j]) for j in range(b)) + sum(
            s(a[i], a[j]) for j in range(b) if j != i
        )
        expected += (math.log(from_c) + math.log(from_a)) / (2 * b)
    assert float(cauchy_info_nce(a, c)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("dimensions", [2, 128])
def test_the_gradient_of_the_loss_is_right(dimensions):
    views = torch.randn(2, 5, dimensions, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: cauchy_info_nce(v[0], v[1]), views)


def test_a_batch_of_one_has_loss_zero():
    a, c = golden_views()
    assert float(cauchy_info_nce(a[:1], c[:1])) == pytest.approx(0, abs=1e-15)


def test_far_apart_points_neither_overflow_nor_vanish():
    a, c = (view.float() * 1e6 for view in golden_views())
    assert torch.isfinite(cauchy_info_nce(a, c))
