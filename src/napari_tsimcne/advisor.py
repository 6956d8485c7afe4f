"""Answers what a window asks before it trains, in a process that has torch.

Reads questions from standard input and writes answers to standard output, one JSON line each,
until the input ends.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import BinaryIO

import numpy as np
import torch

from napari_tsimcne.advice import (
    Answer,
    DevicesAsked,
    DevicesFound,
    EstimateAsked,
    Estimated,
    Question,
    Refused,
    ViewsAsked,
    ViewsMade,
    parse_question,
)
from napari_tsimcne.errors import sentence
from napari_tsimcne.learning import Scaling, estimate, find_devices, preview


def answer(question: Question) -> Answer:
    """Answer one question; what goes wrong becomes `Refused`."""
    try:
        if isinstance(question, DevicesAsked):
            return DevicesFound(number=question.number, devices=find_devices())
        if isinstance(question, ViewsAsked):
            return _views(question)
        return _estimate(question)
    except Exception as error:
        return Refused(number=question.number, reason=sentence(error))


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer questions until they end."""
    for line in questions:
        try:
            question = parse_question(line)
        except ValueError as error:
            reply: Answer = Refused(reason=f"the question is not understood ({error})")
        else:
            reply = answer(question)
        answers.write(reply.model_dump_json().encode() + b"\n")
        answers.flush()


def main() -> None:
    """Serve the process that started this one."""
    # The window needs a core.
    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
    answers = sys.stdout.buffer
    # What libraries print must not come between the answers.
    with contextlib.redirect_stdout(sys.stderr):
        serve(sys.stdin.buffer, answers)


def _views(question: ViewsAsked) -> ViewsMade:
    scaling = Scaling(question.low[None], question.high[None])
    values = preview(
        question.patches, question.views, scaling, question.rgb, question.augmentations,
        question.size, question.seed,
    )  # fmt: skip
    values = np.rint(values.clip(0, 1) * 255).astype(np.uint8)
    return ViewsMade(number=question.number, values=values)


def _estimate(question: EstimateAsked) -> Estimated:
    found = estimate(
        question.recipe, question.patches, question.channels, question.rgb, question.device
    )
    return found.model_copy(update={"number": question.number})


if __name__ == "__main__":
    main()
