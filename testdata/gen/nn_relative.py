"""Writes nn/testdata/relative.safetensors: relative position biases of timm's BEiT, Swin and RelPosMlp.

    <grid>/index                   the row of the table for each pair of tokens
    beit/table, bias, seed, grad   a table, its bias, an upstream gradient and that of the table
    mlp/<kind>/<grid>/fc1.weight, fc1.bias, fc2.weight, fc2.bias, bias, seed, grad.fc1.weight and so on: the same of layers that compute the
                                   numbers, with a class token or none; <grid> 3x4, and bias alone for 2x5

Seed 1; versions as in requirements.txt.
"""

import timm
import torch
from opcases import golden
from safetensors.torch import save_file
from timm.layers.pos_embed_rel import RelPosMlp
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
for kind, prefix in [("class", 1), ("patches", 0)]:
    layers = RelPosMlp((3, 4), num_heads=2, hidden_dim=5, prefix_tokens=prefix).eval()
    for p in layers.parameters():
        torch.nn.init.normal_(p)
    y = layers.get_bias()[0]
    seed = torch.randn_like(y)
    (y * seed).sum().backward()
    at = f"mlp/{kind}/"
    tensors |= {f"{at}3x4/bias": y.detach().clone(), f"{at}3x4/seed": seed}
    for name, p in layers.mlp.named_parameters():
        tensors |= {f"{at}3x4/{name}": p.detach().clone(), f"{at}3x4/grad.{name}": p.grad}
    layers.set_window_size((2, 5))
    tensors[f"{at}2x5/bias"] = layers.get_bias()[0].detach().clone()
path = golden("nn", "relative.safetensors")
save_file(tensors, path, metadata={"script": "nn_relative.py", "versions": f"torch {torch.__version__}, timm {timm.__version__}", "seed": "1"})
print(path)
