"""Trains the reference package on the CPU; run by learning.py with the Python that has it.

    python reference_worker.py JOB.json

The job names ``patches`` (.npy, (N, 3, S, S) uint8), ``backbone``, ``epochs`` of its stages,
``batch_size``, ``workers``, and either ``steps``, after which it stops and tells its pace, or
``out`` (.npz), where it writes the map and the features.
"""

import json
import sys
import time
import warnings

import lightning.pytorch as pl
import numpy as np
import torch
from PIL import Image
from tsimcne.tsimcne import TSimCNE


class Pictures(torch.utils.data.Dataset):
    def __init__(self, patches):
        self.pictures = [Image.fromarray(p.transpose(1, 2, 0)) for p in patches]

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, i):
        return self.pictures[i], 0


class Enough(Exception):  # noqa: N818
    pass


class Watch(pl.Callback):
    """Notes when each batch ended; breaks off after ``steps``."""

    def __init__(self, steps):
        self.steps, self.times = steps, []

    def on_train_batch_end(self, *_):
        self.times.append(time.perf_counter())
        if self.steps and len(self.times) > self.steps:
            raise Enough


def main(job):
    warnings.simplefilter("ignore")
    torch.manual_seed(job.get("seed", 0))
    pictures = Pictures(np.load(job["patches"]))
    watch = Watch(job.get("steps"))
    reference = TSimCNE(
        backbone=job["backbone"],
        batch_size=job["batch_size"],
        total_epochs=job["epochs"],
        warmup=[0] * len(job["epochs"]),
        num_workers=job["workers"],
    )
    reference.trainer_kwargs = {
        **reference.trainer_kwargs, "callbacks": [watch], "accelerator": "cpu", "logger": False,
        "enable_progress_bar": False, "enable_checkpointing": False, "enable_model_summary": False,
    }  # fmt: skip
    begun = time.perf_counter()
    try:
        reference.fit(pictures)
    except Enough:
        seconds = np.diff(watch.times)[1:]
        print(json.dumps({"images_per_second": job["batch_size"] / float(np.median(seconds))}))
        return
    coordinates, features = reference.transform(pictures, return_backbone_feat=True)
    seconds = time.perf_counter() - begun
    np.savez(job["out"], coordinates=coordinates, features=np.asarray(features))
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    with open(sys.argv[1]) as file:  # noqa: PTH123
        main(json.load(file))
