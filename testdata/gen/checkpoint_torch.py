"""Writes checkpoint/testdata/torch: the same tensors in every container that PyTorch has.

    python testdata/gen/checkpoint_torch.py                    # from the module's root
    python testdata/gen/checkpoint_torch.py fresh DIR SEED     # the same into DIR, from another seed
    python testdata/gen/checkpoint_torch.py shared DIR DATA    # the contents of published files, as torch reads them
    python testdata/gen/checkpoint_torch.py write DIR FILE     # FILE, safetensors, as PyTorch saves it

Every element type, scalars, empty tensors, views with strides and offsets, shared storages; saved by torch.save
as zip archives of several protocols and as legacy pickles, by torch.jit.save, deflated by another program, in
shards, and wrapped as training scripts do. expected.safetensors has them dense, as safetensors writes them.
Seed 1; versions as in requirements.txt. Legacy files name storages by addresses, which change from run to run.
"""

import argparse
import collections
import glob
import hashlib
import json
import os
import pathlib
import pickle
import sys
import warnings
import zipfile

import numpy as np
import torch
from safetensors.torch import load_file, save_file

warnings.simplefilter("ignore")

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
INTS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
NEWER = (torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2)  # storages of bytes


def label(dtype):
    return str(dtype).removeprefix("torch.")


def tensors(seed, newer=True):
    g = torch.Generator().manual_seed(seed)
    sd = collections.OrderedDict()
    for dtype in FLOATS:
        sd[label(dtype)] = torch.randn(3, 5, generator=g, dtype=torch.float64).to(dtype)
    for dtype in INTS:
        info = torch.iinfo(dtype)
        x = torch.randint(-(2**40), 2**40, (2, 7), generator=g).to(dtype)
        x[0, :2] = torch.tensor([info.min, info.max])
        sd[label(dtype)] = x
    sd["bool"] = torch.rand(9, generator=g) < 0.5
    sd["complex64"] = torch.randn(2, 3, generator=g, dtype=torch.complex64)
    if newer:
        for dtype in NEWER:
            sd[label(dtype)] = torch.randint(0, 256, (4, dtype.itemsize), generator=g, dtype=torch.uint8).view(dtype).reshape(2, 2)
    base = torch.randn(4, 6, 5, generator=g)
    sd["base"] = base
    sd["base_again"] = base
    sd["slice"] = base[1:3, 2]
    sd["column"] = base[:, :, 3]
    sd["permuted"] = base.permute(2, 0, 1)
    sd["every_second"] = base[::2, 1::2, ::3]
    sd["channels_last"] = torch.randn(2, 3, 4, 5, generator=g).half().contiguous(memory_format=torch.channels_last)
    sd["transposed_f64"] = torch.randn(3, 4, generator=g, dtype=torch.float64).t()
    sd["transposed_i16"] = torch.randint(-9, 9, (3, 4), generator=g).short().t()
    sd["transposed_bool"] = (torch.rand(3, 4, generator=g) < 0.5).t()
    sd["expanded"] = torch.randn(1, 4, generator=g).expand(3, 4)
    sd["one_by_n"] = torch.randn(5, 7, generator=g)[2:3]
    sd["diagonal"] = torch.randn(5, 5, generator=g).diagonal()
    sd["scalar"] = torch.randn((), generator=g)
    sd["scalar_int"] = torch.randint(100, (), generator=g)
    sd["scalar_in_storage"] = base[3, 2, 1]
    sd["empty"] = torch.zeros(0)
    sd["empty_2d"] = torch.zeros(3, 0, 5)
    sd["empty_i64"] = torch.zeros(0, 2, dtype=torch.int64)
    sd["parameter"] = torch.nn.Parameter(torch.randn(3, generator=g))
    return sd


def dense(sd):
    return {k: v.detach().contiguous().clone() for k, v in sd.items()}


class Holder(torch.nn.Module):
    def __init__(self, sd):
        super().__init__()
        for name, value in sd.items():
            if isinstance(value, torch.nn.Parameter):
                self.register_parameter(name, value)
            else:
                self.register_buffer(name, value)

    def forward(self, x):
        return x


def training(seed):
    """A checkpoint as training scripts of vision transformers write them."""
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    model(torch.randn(5, 4)).square().sum().backward()
    optimizer.step()
    schedule.step()
    ema = {"module." + k: v * 2 for k, v in model.state_dict().items()}
    args = argparse.Namespace(
        lr=5e-4, model="vit_tiny", amp=True, betas=[0.9, 0.999], resume=None, output_dir=pathlib.PurePosixPath("out") / "run",
        best=np.float64(81.5), count=np.int64(7), device=torch.device("cpu"), dtype=torch.float16, size=torch.Size([1, 2]),
    )
    return {
        "model": model.state_dict(), "model_ema": {"state_dict": ema}, "optimizer": optimizer.state_dict(),
        "lr_scheduler": schedule.state_dict(), "epoch": 7, "args": args, "scaler": None, "tags": {"a", "b"},
        "history": collections.defaultdict(list, {"loss": [1.5, 1.25]}), "rng": torch.get_rng_state(), "array": np.arange(3.0),
    }


def save_all(out, seed):
    os.makedirs(out, exist_ok=True)
    sd = tensors(seed)
    save_file(dense(sd), f"{out}/expected.safetensors", metadata={"script": "checkpoint_torch.py", "seed": str(seed), "torch": torch.__version__.split("+")[0]})
    torch.save(sd, f"{out}/zip.pt")
    torch.save(dict(sd), f"{out}/zip5.pt", pickle_protocol=5)
    torch.save(sd, f"{out}/legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(sd, f"{out}/legacy4.pt", _use_new_zipfile_serialization=False, pickle_protocol=4)
    with zipfile.ZipFile(f"{out}/zip.pt") as a, zipfile.ZipFile(f"{out}/deflated.pt", "w", zipfile.ZIP_DEFLATED) as b:
        for info in a.infolist():
            b.writestr(zipfile.ZipInfo(info.filename), a.read(info), zipfile.ZIP_DEFLATED, 9)

    script = {"held_" + k: v for k, v in tensors(seed, newer=False).items()}  # a module has methods named float and bool
    save_file(dense(script), f"{out}/expected_script.safetensors")
    torch.jit.save(torch.jit.script(Holder(script)), f"{out}/script.pt")

    names = list(sd)
    shards = {f"pytorch_model-{i + 1:05d}-of-00002.bin": names[i::2] for i in range(2)}
    os.makedirs(f"{out}/sharded", exist_ok=True)
    for shard, held in shards.items():
        torch.save({k: sd[k].detach().clone() for k in held}, f"{out}/sharded/{shard}")
    with open(f"{out}/sharded/pytorch_model.bin.index.json", "w") as f:
        json.dump({"metadata": {"total_size": 1}, "weight_map": {k: shard for shard, held in shards.items() for k in held}}, f)

    ck = training(seed)
    expected = {f"model.{k}": v for k, v in ck["model"].items()} | {f"model_ema.{k}": v for k, v in ck["model_ema"]["state_dict"].items()}
    save_file(dense(expected), f"{out}/expected_training.safetensors")
    torch.save(ck, f"{out}/training.pt")
    torch.save(ck, f"{out}/training_legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({"state_dict": {"module.a": sd["base"]}, "arch": "vit"}, f"{out}/nested.pt")
    torch.save({"net": {"state_dict": {"a": sd["base"]}, "name": "inner"}, "name": "outer"}, f"{out}/twice.pt")
    torch.save([sd["base"], {"b": sd["scalar"]}], f"{out}/list.pt")
    torch.save(sd["base"], f"{out}/single.pt")

    for protocol in range(6):
        with open(f"{out}/plain{protocol}.pkl", "wb") as f:
            pickle.dump(plain(), f, protocol)

    x = torch.arange(6.0).reshape(2, 3)
    odd = {
        "quantized": torch.quantize_per_tensor(x, 0.1, 0, torch.qint8), "sparse": x.to_sparse(), "csr": x.to_sparse_csr(),
        "conjugated": x.to(torch.complex64).conj(), "complex128": x.to(torch.complex128), "array": x.numpy(), "meta": x.to("meta"),
    }
    for name, value in odd.items():
        torch.save({"fine": x, name: value}, f"{out}/odd_{name}.pt")


def plain():
    """Plain values of every kind, for the pickle machine; TestPickle has them in words."""
    namespace = argparse.Namespace(x=1)
    shared = ["s"]
    return {
        "integers": [0, 255, 256, -1, 65536, -(2**31), 2**31, -(2**40), 2**62, -(2**63), 2**80],
        "constants": (None, True, False), "float": 1.5, "infinity": float("-inf"), "texts": ["", "na\u00efve \\ \n'\"", "\U0001f41f"],
        "bytes": b"\x00\xff", "set": {7}, "frozen": frozenset([8]), "ordered": collections.OrderedDict([("k", 1)]), "object": namespace,
        "counter": collections.Counter("aa"), "default": collections.defaultdict(int, {"z": 0}), "path": pathlib.PurePosixPath("/a/b"),
        "shared": [shared, shared], 3: (), "numpy": [np.float32(0.5), np.int8(-3), np.bool_(True), np.uint16(65535), np.float16(2)],
    }


def digest(sd):
    """A hash over all names, types, shapes and bytes; the Go test TestDetectors makes the same."""
    h = hashlib.sha256()
    for name in sorted(sd):
        t = sd[name].detach().contiguous()
        h.update(f"{name} {label(t.dtype)} {list(t.shape)}\n".replace(",", "").encode())
        h.update(t.reshape(-1).view(torch.uint8).numpy().tobytes())
    return h.hexdigest()


def detectors(data):
    for path in sorted(glob.glob(f"{data}/detectors/*/*.pt*")):
        yield os.path.relpath(path, data), torch.load(path, map_location="cpu", weights_only=True)


def main(argv):
    if argv[:1] == ["fresh"]:
        save_all(argv[1], int(argv[2]))
    elif argv[:1] == ["shared"]:
        for name, sd in detectors(argv[2]):
            save_file(dense(sd), f"{argv[1]}/{os.path.basename(name)}.safetensors")
    elif argv[:1] == ["write"]:
        sd = load_file(argv[2])
        torch.save(sd, f"{argv[1]}/zip.pt")
        torch.save(sd, f"{argv[1]}/legacy.pt", _use_new_zipfile_serialization=False)
    else:
        save_all("checkpoint/testdata/torch", 1)
        if os.path.isdir("../shared/data/detectors"):
            with open("checkpoint/testdata/torch/detectors.txt", "w") as f:
                for name, sd in detectors("../shared/data"):
                    f.write(f"{name} {len(sd)} {digest(sd)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
