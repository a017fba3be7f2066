"""Writes nn/testdata/contrastive.safetensors: the losses of open_clip for pairs, with gradients.

    python nn_contrastive.py

Versions: requirements.txt.
"""

import numpy as np
import open_clip
import torch
from open_clip.loss import ClipLoss, SigLipLoss
from safetensors.numpy import save_file

from opcases import golden

torch.manual_seed(51)
tensors = {}
for n in (1, 7):
    x = torch.nn.functional.normalize(torch.randn(n, 5), dim=-1).requires_grad_()
    y = torch.nn.functional.normalize(torch.randn(n, 5), dim=-1).requires_grad_()
    scale, bias = torch.tensor(12.5).requires_grad_(), torch.tensor(-3.25).requires_grad_()
    for name, loss in (("contrastive", ClipLoss()(x, y, scale)), ("sigmoid", SigLipLoss()(x, y, scale, bias))):
        for p in (x, y, scale, bias):
            p.grad = torch.zeros_like(p)
        loss.backward()
        tensors |= {f"{name}/{n}/{k}": v.detach().numpy() for k, v in
                    dict(x=x, y=y, scale=scale, bias=bias, loss=loss, dx=x.grad, dy=y.grad, dscale=scale.grad, dbias=bias.grad).items()}
save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, golden("nn", "contrastive.safetensors"),
          metadata={"script": "nn_contrastive.py", "versions": f"torch {torch.__version__}, open_clip {open_clip.__version__}", "seed": "51"})
