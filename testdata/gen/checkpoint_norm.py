"""Writes nn/testdata/norm*.safetensors: a small convolutional net with batch normalization, and what it computes.

    python testdata/gen/checkpoint_norm.py                # from the module's root
    python testdata/gen/checkpoint_norm.py check F DIR    # F loads with strict=True and gives the outputs of DIR/norm.safetensors

norm.safetensors is the net's state_dict as safetensors writes it, with running statistics that differ from channel to
channel; norm_outputs.safetensors holds an input x and the outputs y in eval mode. Seed 1; versions as in
requirements.txt.
"""

import os
import sys

import torch
from safetensors.torch import load_file, save_file
from torch import nn

META = {"script": "checkpoint_norm.py", "versions": f"torch {torch.__version__.split('+')[0]}", "seed": "1"}
OUT = "nn/testdata"


class Block(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.conv = nn.Conv2d(i, o, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(o)

    def forward(self, x):
        return self.bn(self.conv(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Sequential(Block(3, 4))
        self.layer2 = nn.Sequential(Block(4, 6), Block(6, 2))

    def forward(self, x):
        return self.layer2(self.layer1(x))


def fresh():
    """A net after three batches in training mode, which fill its statistics."""
    torch.manual_seed(1)
    net = Net().train()
    for p in net.parameters():
        nn.init.normal_(p, std=0.5)
    for _ in range(3):
        net(2 * torch.randn(4, 3, 8, 8) + 1)
    return net.eval()


def check(*paths):
    outputs = []
    for path in paths:
        net = Net().eval()
        net.load_state_dict(load_file(path), strict=True)
        with torch.inference_mode():
            outputs.append(net(load_file(f"{os.path.dirname(paths[1])}/norm_outputs.safetensors")["x"]))
    assert torch.equal(*outputs)
    print("equal")


def main():
    if sys.argv[1:2] == ["check"]:
        return check(sys.argv[2], f"{sys.argv[3]}/norm.safetensors")
    net = fresh()
    x = torch.randn(2, 3, 5, 5)
    with torch.inference_mode():
        y = net(x)
    save_file(net.state_dict(), f"{OUT}/norm.safetensors", metadata=META)
    save_file({"x": x, "y": y}, f"{OUT}/norm_outputs.safetensors", metadata=META)


main()
