"""Reduces float32 matrices with PyTorch, for the test of the accuracy of sums in autograd.

    check_sums.py FOLDER

FOLDER holds matrices "ROWSxCOLUMNS.in". For each, "ROWSxCOLUMNS.out" receives the sums of the rows, their means and variances,
then the sums of the columns, float32. Runs with torch 2.15.
"""

import pathlib
import sys

import numpy as np
import torch

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.in")):
    rows, columns = map(int, path.stem.split("x"))
    x = torch.from_numpy(np.fromfile(path, dtype=np.float32).reshape(rows, columns))
    out = [x.sum(1), x.mean(1), x.var(1, correction=0), x.sum(0)]
    np.concatenate([t.numpy() for t in out]).tofile(path.with_suffix(".out"))
