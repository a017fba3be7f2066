"""Writes metrics/testdata/tide.safetensors: the error breakdown of random sets by TIDE (tidecv 1.0.1).

    pip install tidecv==1.0.1
    python testdata/gen/metrics_tide.py          # from the module's root

    objects     [n, 8]: set, image, class, x, y, width, height, crowd
    detections  [n, 8]: set, image, class, x, y, width, height, score
    figures     [sets, 9]: AP, the losses of Cls, Loc, Both, Dupe, Bkg, Miss, FalsePos and FalseNeg; all from 0 to 1
    counts      [sets, 6]: Cls, Loc, Both, Dupe, Bkg, Miss

Seed 16.
"""

import importlib.metadata
import os

import numpy as np
from safetensors.numpy import save_file
from tidecv import TIDE, Data

SEED, SETS = 16, 40
rng = np.random.default_rng(SEED)
objects, detections, figures, counts = [], [], [], []
NAMES = ["Cls", "Loc", "Both", "Dupe", "Bkg", "Miss"]


def box():
    return np.round(np.concatenate([rng.uniform(0, 60, 2), rng.uniform(5, 60, 2)])).astype(np.float32)


while len(figures) < SETS:
    n = len(figures)
    gt, dt = Data("gt"), Data("dt")
    images, classes = rng.integers(1, 6), rng.integers(1, 4)
    for image in range(images):
        gt.add_image(image, "")
        dt.add_image(image, "")
    here = []
    for image in range(images):
        for _ in range(rng.integers(0, 7)):
            here.append([n, image, rng.integers(classes), *box(), float(rng.random() < 0.15)])
    found = []
    for image in sorted(rng.integers(0, images, 150 if n % 10 == 0 else rng.integers(0, 40))):
        b, label = box(), rng.integers(classes)
        near = [o for o in here if o[1] == image]
        if near and rng.random() < 0.7:
            o = near[rng.integers(len(near))]
            b = np.array(o[3:7], np.float32) + np.round(rng.normal(0, 4, 4)).astype(np.float32) * rng.integers(2)
            b[2:] = np.maximum(b[2:], 1)
            label = o[2] if rng.random() < 0.7 else label
        found.append([n, image, label, *b, np.float32(np.round(rng.uniform(0.01, 1), 1 if n % 3 == 0 else 4))])
    for o in here:
        (gt.add_ignore_region if o[7] else gt.add_ground_truth)(int(o[1]), int(o[2]), [float(v) for v in o[3:7]])
    for d in found:
        dt.add_detection(int(d[1]), int(d[2]), float(d[7]), [float(v) for v in d[3:7]])
    tide = TIDE()
    try:
        run = tide.evaluate(gt, dt)
        errors = tide.get_all_errors()
    except ZeroDivisionError:  # a correction leaves no class
        continue
    main, special = errors["main"]["dt"], errors["special"]["dt"]
    figures.append(np.array([run.ap, *(main[k] for k in NAMES), special["FalsePos"], special["FalseNeg"]]) / 100)
    by = {k.short_name: v for k, v in run.count_errors().items()}
    counts.append(np.array([by[k] for k in NAMES]))
    objects += here
    detections += found

path = os.path.join("metrics", "testdata", "tide.safetensors")
save_file({"objects": np.array(objects, np.float32), "detections": np.array(detections, np.float32),
           "figures": np.array(figures, np.float32), "counts": np.array(counts, np.int64)}, path,
          metadata={"script": "metrics_tide.py", "versions": f"tidecv {importlib.metadata.version('tidecv')} numpy {np.__version__}", "seed": str(SEED)})
print(path, os.path.getsize(path), "bytes", len(objects), "objects", len(detections), "detections")
