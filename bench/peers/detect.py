"""The same detection, built from common Python tools: zarr, numpy, MONAI's sliding window over onnxruntime, scikit-image."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import zarr
from files import DATA
from measure import measure
from monai.inferers import sliding_window_inference
from skimage.feature import peak_local_max

MODELS = Path(__file__).parent.parent.parent / "models"
card = json.loads((MODELS / "default.json").read_text())
session = onnxruntime.InferenceSession(MODELS / "default.onnx", providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name


def network(tiles):
    logits = session.run(None, {name: tiles.numpy()})[0]
    return torch.from_numpy(logits)


def detect():
    volume = zarr.open_array(DATA / "lz4-128.zarr", path="0", mode="r")[:]
    volume = (volume - volume.mean()) / volume.std()
    logits = sliding_window_inference(torch.from_numpy(volume)[None, None], card["tile"], 1, network, overlap=0.25, mode="gaussian")
    scores = torch.softmax(logits[0], 0).numpy()
    found = 0
    for index, object_name in enumerate(card["classes"]):
        if object_name is None:
            continue
        distance = int(card["minDistances"][object_name] / 20)
        found += len(peak_local_max(scores[index], min_distance=distance, threshold_abs=card["thresholds"][object_name], exclude_border=False))
    return found


measure("zarr + MONAI + onnxruntime + scikit-image", detect, runs=1)
