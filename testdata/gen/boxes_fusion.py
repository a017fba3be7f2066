"""Goldens of models/internal/boxes: models/internal/boxes/testdata/fusion.safetensors, by ensemble-boxes 1.0.9.

    pip install ensemble-boxes==1.0.9
    python testdata/gen/boxes_fusion.py          # from the module's root

    soft/<case>/{boxes,scores,limits}     limits: overlap, sigma, least score
    soft/<case>/{linear,gaussian}/{kept,scores}
    fuse/<case>/<model>/{boxes,scores,classes}, fuse/<case>/{weights,limits}; limits: overlap, least score, highest
    fuse/<case>/out/{boxes,scores,classes}
"""

import importlib.metadata
import os

import numpy as np
from ensemble_boxes import weighted_boxes_fusion
from ensemble_boxes.ensemble_boxes_nms import cpu_soft_nms_float
from safetensors.numpy import save_file

SEED = 18
rng = np.random.default_rng(SEED)
tensors = {}


def put(name, x):
    x = np.asarray(x)
    tensors[name] = np.ascontiguousarray(x.astype(np.int64 if x.dtype.kind in "iu" else np.float32))


def boxes(n, low, high):
    at = rng.uniform(0.05, 0.6, (n, 2))
    return np.concatenate([at, at + rng.uniform(low, high, (n, 2))], 1).astype(np.float32)


for name, n, overlap, sigma, least in (("few", 12, 0.3, 0.5, 0.001), ("many", 120, 0.3, 0.5, 0.05), ("other", 60, 0.6, 0.2, 0.2)):
    b, s = boxes(n, 0.1, 0.35), rng.random(n, dtype=np.float32)
    put(f"soft/{name}/boxes", b)
    put(f"soft/{name}/scores", s)
    put(f"soft/{name}/limits", np.float32([overlap, sigma, least]))
    for method, kind in ((1, "linear"), (2, "gaussian")):
        scores = s.astype(np.float64)
        kept = cpu_soft_nms_float(b.astype(np.float64), scores, overlap, sigma, least, method)
        put(f"soft/{name}/{kind}/kept", kept)
        put(f"soft/{name}/{kind}/scores", scores[scores > least])

for name, models, weights, overlap, least, highest in (
    ("one", 1, None, 0.55, 0, False),
    ("three", 3, None, 0.55, 0, False),
    ("weights", 3, [2, 1, 0.5], 0.5, 0.1, False),
    ("highest", 2, [1, 3], 0.4, 0, True),
):
    base, label = boxes(15, 0.1, 0.3), rng.integers(0, 3, 15)
    lists = []
    for m in range(models):
        keep = rng.random(15) < 0.8
        b = (base[keep] + rng.normal(0, 0.01, (keep.sum(), 4))).astype(np.float32)
        b = np.concatenate([b, boxes(5, 0.05, 0.3)])
        lists.append((b, rng.random(len(b), dtype=np.float32), np.concatenate([label[keep], rng.integers(0, 3, 5)])))
        for part, x in zip(("boxes", "scores", "classes"), lists[-1]):
            put(f"fuse/{name}/{m}/{part}", x)
    put(f"fuse/{name}/weights", np.float32(weights or []))
    put(f"fuse/{name}/limits", np.float32([overlap, least, highest]))
    out = weighted_boxes_fusion(*([x[i] for x in lists] for i in range(3)), weights=weights, iou_thr=overlap, skip_box_thr=least,
                                conf_type="max" if highest else "avg")
    put(f"fuse/{name}/out/boxes", out[0])
    put(f"fuse/{name}/out/scores", out[1])
    put(f"fuse/{name}/out/classes", out[2].astype(np.int64))

path = os.path.join("models", "internal", "boxes", "testdata", "fusion.safetensors")
save_file(tensors, path, metadata={"script": "boxes_fusion.py", "seed": str(SEED),
          "versions": f"ensemble-boxes {importlib.metadata.version('ensemble-boxes')}, numpy {np.__version__}"})
print(path, len(tensors), "tensors", os.path.getsize(path), "bytes")
