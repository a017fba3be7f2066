"""Convolves images with PyTorch, for the test of the accuracy of Winograd's algorithm in autograd.

    check_convs.py FOLDER

FOLDER holds images and filters, float32, "IMAGES-INxOUTxROWSxCOLUMNS.in", first the image [1, IN, ROWS, COLUMNS], then the
filters [OUT, IN, 3, 3]. For each, a file ".out" receives the convolution with a padding of 1 in float32, and then the same in
float64, as float64. Runs with torch 2.15.
"""

import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.in")):
    c, out, h, w = map(int, path.stem.split("-")[1].split("x"))
    numbers = torch.from_numpy(np.fromfile(path, dtype=np.float32))
    x, f = numbers[: c * h * w].reshape(1, c, h, w), numbers[c * h * w :].reshape(out, c, 3, 3)
    y = [F.conv2d(x, f, padding=1).double(), F.conv2d(x.double(), f.double(), padding=1)]
    np.concatenate([t.numpy().ravel() for t in y]).tofile(path.with_suffix(".out"))
