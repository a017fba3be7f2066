"""Writes nn/testdata/relative.safetensors: relative position biases of timm's BEiT and Swin.

    <grid>/index                   the row of the table for each pair of tokens
    beit/table, bias, seed, grad   a table, its bias, an upstream gradient and that of the table

Seed 1; versions as in requirements.txt.
"""

import timm
import torch
from opcases import golden
from safetensors.torch import save_file
from timm.layers.pos_embed_rel import gen_relative_position_index as swin_index
from timm.models.beit import RelativePositionBias
from timm.models.beit import gen_relative_position_index as beit_index

torch.manual_seed(1)
tensors = {}
for h, w in [(3, 4), (2, 2), (1, 5), (1, 1)]:
    tensors[f"class/{h}x{w}/index"] = beit_index((h, w)).contiguous()
    tensors[f"patches/{h}x{w}/index"] = swin_index((h, w)).contiguous()

bias = RelativePositionBias((3, 4), 2)
torch.nn.init.normal_(bias.relative_position_bias_table)
y = bias()
seed = torch.randn_like(y)
(y * seed).sum().backward()
table = bias.relative_position_bias_table
for name, x in {"table": table, "bias": y, "seed": seed, "grad": table.grad}.items():
    tensors[f"beit/{name}"] = x.detach().clone().contiguous()
path = golden("nn", "relative.safetensors")
save_file(tensors, path, metadata={"script": "nn_relative.py", "versions": f"torch {torch.__version__}, timm {timm.__version__}", "seed": "1"})
print(path)
