"""Writes nn/testdata/recurrent.safetensors: torch.nn.LSTM and torch.nn.GRU.

    python testdata/gen/nn_recurrent.py                # from the module's root

Each case holds the state dictionary of a layer of two levels, x, lengths, initial states, results, upstream gradients
of the results, and the gradients of parameters and inputs.

Seed 1; versions as in requirements.txt.
"""

import os

import torch
from safetensors.torch import save_file
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

torch.set_num_threads(1)
torch.manual_seed(1)
tensors = {}

for name, layer, bidirectional, bias in (
    ("lstm/both", torch.nn.LSTM, True, True),
    ("lstm/forward", torch.nn.LSTM, False, False),
    ("gru/both", torch.nn.GRU, True, True),
    ("gru/forward", torch.nn.GRU, False, False),
):
    n, steps, width, size = 3, 5, 4, 6
    net = layer(width, size, num_layers=2, bias=bias, batch_first=True, bidirectional=bidirectional)
    lengths = torch.tensor([3, 5, 2])
    x = torch.randn(n, steps, width, requires_grad=True)
    states = [torch.randn(4 if bidirectional else 2, n, size, requires_grad=True) for _ in range(2 if layer is torch.nn.LSTM else 1)]
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    y, last = net(packed, tuple(states) if len(states) == 2 else states[0])
    y, _ = pad_packed_sequence(y, batch_first=True, total_length=steps)
    last = list(last) if len(states) == 2 else [last]
    seeds = [torch.randn(r.shape) for r in (y, *last)]
    torch.autograd.backward([y, *last], seeds)
    tensors[f"{name}/lengths"] = lengths
    for k, v in [("x", x), *zip("hc", states), *net.named_parameters()]:
        tensors[f"{name}/in/{k}"], tensors[f"{name}/grad/{k}"] = v.detach().clone(), v.grad.clone()
    for i, (r, s) in enumerate(zip((y, *last), seeds)):
        tensors[f"{name}/out/{i}"], tensors[f"{name}/seed/{i}"] = r.detach().clone().contiguous(), s

os.makedirs("nn/testdata", exist_ok=True)
save_file(tensors, "nn/testdata/recurrent.safetensors", metadata={
    "script": "nn_recurrent.py",
    "versions": f"torch {torch.__version__.split('+')[0]}",
    "seed": "1",
})
