"""Goldens of autograd's LSTM cell: autograd/testdata/ops_lstm.safetensors."""

import torch
from opcases import Cases, golden

c = Cases(golden("autograd", "ops_lstm.safetensors"), seed=7)


def cell(x, h, c, wih, whh, bih=None, bhh=None):
    return torch.ops.aten.lstm_cell(x, (h, c), wih, whh, bih, bhh)


for tag, n, i, s in [("odd", 3, 5, 7), ("one", 1, 1, 1), ("wide", 2, 9, 33), ("empty", 0, 4, 3)]:
    x, h, k = c.normal(n, i), c.normal(n, s), c.normal(n, s)
    wih, whh, bih, bhh = c.normal(4 * s, i, scale=0.5), c.normal(4 * s, s, scale=0.5), c.normal(4 * s), c.normal(4 * s)
    c.add(f"cell/{tag}", cell, x=x, h=h, c=k, wih=wih, whh=whh, bih=bih, bhh=bhh)
    c.add(f"nobias/{tag}", lambda x, h, c, wih, whh: cell(x, h, c, wih, whh), x=x, h=h, c=k, wih=wih, whh=whh)
c.write()
