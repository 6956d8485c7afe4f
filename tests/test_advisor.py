"""The process that answers what a window asks before it trains."""

import io

import numpy as np
import pytest

from napari_tsimcne import advisor
from napari_tsimcne.advice import Refused, ViewsAsked, ViewsMade, parse_answer
from napari_tsimcne.recipe import VIEWS, Augmentations

SIZE, MARGIN = 12, 6


def question(**changes):
    random = np.random.default_rng(0)
    patches = random.integers(100, 4000, (2, 3, SIZE + 2 * MARGIN, SIZE + 2 * MARGIN), np.uint16)
    values = {
        "number": 7, "patches": patches, "low": np.full(3, 100, np.float32),
        "high": np.full(3, 4000, np.float32), "rgb": False, "size": SIZE,
        "augmentations": VIEWS["fluorescence"], "views": 4,
    }  # fmt: skip
    return ViewsAsked(**{**values, **changes})


def served(*lines: bytes):
    """Answers to lines, as they come through the pipe."""
    answers = io.BytesIO()
    advisor.serve(io.BytesIO(b"".join(line + b"\n" for line in lines)), answers)
    return [parse_answer(line) for line in answers.getvalue().splitlines()]


def test_views_through_the_pipe_begin_with_the_patch_itself():
    asked = question()
    (answer,) = served(asked.model_dump_json().encode())
    assert isinstance(answer, ViewsMade) and answer.number == 7
    assert answer.values.shape == (2, 5, 3, SIZE, SIZE) and answer.values.dtype == np.uint8
    inner = slice(MARGIN, MARGIN + SIZE)
    itself = (asked.patches[..., inner, inner].astype(float) - 100) / 3900 * 255
    assert np.abs(answer.values[:, 0] - itself).max() <= 0.51
    assert all((answer.values[:, 0] != answer.values[:, n]).any() for n in range(1, 5))


def test_the_seed_decides_the_views_and_nothing_on_leaves_them_as_they_are():
    def values(**changes):
        answer = advisor.answer(question(**changes))
        assert isinstance(answer, ViewsMade)
        return answer.values

    assert np.array_equal(values(seed=1), values(seed=1))
    assert not np.array_equal(values(seed=1), values(seed=2))
    plain = values(augmentations=Augmentations())
    assert (plain == plain[:, :1]).all()


@pytest.mark.parametrize("line", [b"", b"{", b'{"kind": "views"}', b"\xff\xfe"])
def test_a_line_that_is_no_question_is_refused_and_the_next_one_answered(line):
    refused, answered = served(line, question(views=1).model_dump_json().encode())
    assert isinstance(refused, Refused) and "is not understood" in refused.reason
    assert isinstance(answered, ViewsMade)


def test_what_goes_wrong_is_a_sentence():
    answer = advisor.answer(question(patches=np.zeros((1, 2, 4, 4), np.uint8)))
    assert isinstance(answer, Refused) and answer.number == 7
    assert answer.reason and "\n" not in answer.reason
