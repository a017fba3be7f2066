"""Measures the rounding error of matrix products for simd's TestGemmAccuracy. Reads products from standard input until
it ends: m, n and k as int64, then A [m, k], B [k, n] and the C [m, n] that Fovea computed, all float32, little-endian.
For each it prints two numbers: the rms error of that C and of torch.mm's, against the product in float64.

Needs torch (testdata/gen/requirements.txt).
"""

import sys

import numpy as np
import torch

torch.set_num_threads(2)
torch.set_float32_matmul_precision("highest")


def read(rows, cols):
    data = sys.stdin.buffer.read(4 * rows * cols)
    return torch.from_numpy(np.frombuffer(data, "<f4").reshape(rows, cols).copy())


while head := sys.stdin.buffer.read(24):
    m, n, k = np.frombuffer(head, "<i8").tolist()
    a, b, c = read(m, k), read(k, n), read(m, n)
    exact = a.double() @ b.double()
    ours, theirs = ((x.double() - exact).square().mean().sqrt().item() for x in (c, torch.mm(a, b)))
    print(ours, theirs, flush=True)
