"""Shared by the ops_*.py scripts: runs PyTorch on small cases and writes inputs, results and gradients.

Each case `name` leaves in the golden file
    name/in/<input>     every float input
    name/out/<i>        every result
    name/seed/<i>       the upstream gradient of every result
    name/grad/<input>   the gradient with respect to every float input
so that one Go function, checkOp in package autograd, can compare any operation.

Versions: requirements.txt. Everything is drawn from one numbered generator a file.
"""

import os
import sys

import numpy as np
import torch
from safetensors.numpy import save_file

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


class Cases:
    def __init__(self, path, seed):
        self.path, self.seed = path, seed
        self.rng = np.random.default_rng(seed)
        self.tensors = {}

    def normal(self, *shape, scale=1.0, shift=0.0):
        """Values away from nothing in particular: normal, float32."""
        return torch.from_numpy(np.asarray(self.rng.standard_normal(shape) * scale + shift, dtype=np.float32))

    def uniform(self, low, high, *shape):
        return torch.from_numpy(np.asarray(self.rng.uniform(low, high, shape), dtype=np.float32))

    def ints(self, low, high, *shape):
        return torch.from_numpy(np.asarray(self.rng.integers(low, high, shape)))

    def add(self, name, f, ints=None, **inputs):
        """Runs f(**inputs, **ints); inputs are float tensors with gradients, ints are integer tensors."""
        xs = {k: v.clone().requires_grad_(True) for k, v in inputs.items()}
        ys = f(**xs, **(ints or {}))
        if not isinstance(ys, (tuple, list)):
            ys = (ys,)
        loss = 0
        for i, y in enumerate(ys):
            seed = self.normal(*y.shape)
            self._put(f"{name}/out/{i}", y)
            self._put(f"{name}/seed/{i}", seed)
            if y.requires_grad:
                loss = loss + (y * seed).sum()
        if torch.is_tensor(loss):
            loss.backward()
        for k, x in xs.items():
            self._put(f"{name}/in/{k}", x)
            self._put(f"{name}/grad/{k}", x.grad if x.grad is not None else torch.zeros_like(x))
        for k, x in (ints or {}).items():
            self.tensors[f"{name}/int/{k}"] = x.numpy().astype(np.int64)

    def _put(self, name, x):
        a = x.detach().numpy().astype(np.float32)
        self.tensors[name] = np.ascontiguousarray(a).reshape(a.shape)  # which makes one dimension of none

    def write(self):
        meta = {"script": os.path.basename(sys.argv[0]), "versions": f"torch {torch.__version__}, numpy {np.__version__}", "seed": str(self.seed)}
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        save_file(self.tensors, self.path, metadata=meta)
        print(self.path, len(self.tensors), "tensors", os.path.getsize(self.path), "bytes")


def golden(package, name):
    """The path of a golden file of a package, from this script's place."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    return os.path.normpath(os.path.join(root, package, "testdata", name))
