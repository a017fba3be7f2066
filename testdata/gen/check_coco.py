"""Evaluates sets of objects and detections by pycocotools. A test of package metrics runs it:

    python check_coco.py SETS OUT

SETS is a JSON list of [truth, results], each in COCO's format. OUT gets float64 numbers: for each set the twelve figures, then
for each category the precisions [10, 101] and the scores [10, 101] of all sizes and 100 detections.
"""

import contextlib
import io
import json
import sys

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

with open(sys.argv[1]) as f, open(sys.argv[2], "wb") as out:
    for truth, results in json.load(f):
        with contextlib.redirect_stdout(io.StringIO()):
            gt, dt = COCO(), COCO()
            gt.dataset = truth
            gt.createIndex()
            # loadRes takes no empty list.
            if results:
                dt = gt.loadRes(results)
            else:
                dt.dataset = {"images": truth["images"], "annotations": [], "categories": truth["categories"]}
                dt.createIndex()
            e = COCOeval(gt, dt, "bbox")
            e.evaluate()
            e.accumulate()
            e.summarize()
        np.asarray(e.stats, dtype="<f8").tofile(out)
        for k in range(len(e.params.catIds)):
            e.eval["precision"][:, :, k, 0, 2].astype("<f8").tofile(out)
            e.eval["scores"][:, :, k, 0, 2].astype("<f8").tofile(out)
