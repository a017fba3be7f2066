"""Writes checkpoint/testdata and internal/test/golden/testdata: safetensors files as Python writes them.

    python testdata/gen/checkpoint.py            # from the module's root
    python testdata/gen/checkpoint.py check F    # compares F with the tensors of written()
    python testdata/gen/checkpoint.py same A B ...   # compares pairs of checkpoints, files or indexes, bit by bit
    python testdata/gen/checkpoint.py split MAX:SIZE,SIZE ...   # divides tensors of these sizes as huggingface_hub does

Every type with values at its edges, scalars, empty tensors, names that need escapes, a sharded index, and
a small ViT layer under three families of names. Seed 1; versions as in requirements.txt.
"""

import json
import os
import sys

import numpy as np
import safetensors
import torch
from safetensors.torch import load_file, save_file

META = {
    "script": "checkpoint.py",
    "versions": f"safetensors {safetensors.__version__}, torch {torch.__version__.split('+')[0]}",
    "seed": "1",
}
OUT = "checkpoint/testdata"


def floats(dtype):
    """Edges of the type and some ordinary numbers, exactly representable or rounded by torch."""
    info = torch.finfo(dtype)
    edge = [0.0, -0.0, 1.0, -1.0, info.max, info.min, info.tiny, info.tiny / 2, -info.eps, float("inf"), float("-inf"), float("nan")]
    g = torch.Generator().manual_seed(1)
    return torch.cat([torch.tensor(edge, dtype=torch.float64), torch.randn(20, generator=g, dtype=torch.float64)]).to(dtype).reshape(4, 8)


def types():
    t = {}
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        name = str(dtype).removeprefix("torch.")
        t[name] = floats(dtype)
        if dtype != torch.float64:
            t[name + ".as_float32"] = t[name].float().clone()
    t["float64.as_float32"] = t["float64"].float()
    for dtype in (torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint32):
        name = str(dtype).removeprefix("torch.")
        info = torch.iinfo(dtype)
        t[name] = torch.tensor([0, 1, info.max, info.min], dtype=dtype)
        t[name + ".as_int64"] = torch.tensor([0, 1, info.max, info.min], dtype=torch.int64)
    t["uint64"] = torch.from_numpy(np.array([0, 1, 2**63 - 1], dtype=np.uint64))
    t["uint64.as_int64"] = torch.tensor([0, 1, 2**63 - 1])
    t["uint64.beyond"] = torch.from_numpy(np.array([2**64 - 1], dtype=np.uint64))
    t["bool"] = torch.tensor([[True, False, True]])
    t["float8_e4m3fn"] = torch.tensor([1.0, -2.0]).to(torch.float8_e4m3fn)
    t["float8_e5m2"] = torch.tensor([1.0, -2.0]).to(torch.float8_e5m2)
    t["complex64"] = torch.tensor([1 + 2j])
    t["scalar"] = torch.tensor(2.5)
    t["scalar_int"] = torch.tensor(-7)
    t["empty"] = torch.zeros(0)
    t["empty.2d"] = torch.zeros(3, 0, 5)
    t['näme "with" \\ and\n'] = torch.tensor([1.0])
    return t


def half():
    """float32 numbers over all of the range of float16, with what torch rounds them to."""
    bits = np.arange(65536, dtype=np.uint32).astype(np.uint16)
    f16 = torch.from_numpy(bits.view(np.float16).copy())
    g = torch.Generator().manual_seed(1)
    x = torch.randn(4096, generator=g) * torch.exp2(torch.randint(-30, 16, (4096,), generator=g).float())
    x = torch.cat([x, (f16[:2048].float() + f16[1:2049].float()) / 2])  # ties between subnormals
    x = x[x.abs() < 65520]
    return {"x": x, "x.f16": x.half(), "x.bf16": x.bfloat16()}


def written():
    """What the Go test TestPythonReads writes."""
    return {
        "layer.weight": torch.arange(12, dtype=torch.float32).reshape(3, 4) / 4 - 1,
        "layer.bias": torch.tensor([0.5, -0.5, 1024.0]),
        "ids": torch.tensor([1, -(2**62), 3]),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        'odd "name" <&> é': torch.tensor([1.0]),
    }


def layer():
    """One ViT layer of width 4 as timm, the hub and transformers 5 name it: the same numbers."""
    g = torch.Generator().manual_seed(1)
    r = lambda *s: torch.randn(*s, generator=g)
    qw, qb, nw, nb, cls, head = r(12, 4), r(12), r(4), r(4), r(1, 1, 4), r(2, 4)
    timm = {"cls_token": cls, "blocks.0.norm1.weight": nw, "blocks.0.norm1.bias": nb,
            "blocks.0.attn.qkv.weight": qw, "blocks.0.attn.qkv.bias": qb, "head.weight": head}
    hub, memory = {}, {}
    for d, stem, qkv in ((hub, "vit.encoder.layer.0.", "attention.attention.{}"), (memory, "vit.layers.0.", "attention.{}_proj")):
        d["vit.embeddings.cls_token"] = cls
        d[stem + "layernorm_before.weight"], d[stem + "layernorm_before.bias"] = nw, nb
        names = ("query", "key", "value") if d is hub else "qkv"
        for i, n in enumerate(names):
            d[stem + qkv.format(n) + ".weight"] = qw[4 * i:4 * i + 4].clone()
            d[stem + qkv.format(n) + ".bias"] = qb[4 * i:4 * i + 4].clone()
        d["classifier.weight"] = head
    hub["vit.pooler.dense.weight"] = r(4, 4)
    hub["vit.embeddings.position_ids"] = torch.arange(5)
    return {"timm": timm, "hub": hub, "memory": memory}


def shards(t):
    folder = f"{OUT}/sharded"
    os.makedirs(folder, exist_ok=True)
    names = sorted(t)
    where = {}
    for i, part in enumerate((names[: len(names) // 2], names[len(names) // 2:])):
        shard = f"model-{i + 1:05d}-of-00002.safetensors"
        save_file({n: t[n] for n in part}, f"{folder}/{shard}", metadata={"format": "pt"})
        where |= {n: shard for n in part}
    with open(f"{folder}/model.safetensors.index.json", "w") as f:
        json.dump({"metadata": {"total_size": sum(v.numel() * 4 for v in t.values())}, "weight_map": where}, f, indent=2, sort_keys=True)
        f.write("\n")


def check(path):
    got, want = load_file(path), written()
    assert got.keys() == want.keys(), (got.keys(), want.keys())
    for name, w in want.items():
        assert got[name].dtype == w.dtype and got[name].shape == w.shape and torch.equal(got[name], w), name
    with safetensors.safe_open(path, "pt") as f:
        assert f.metadata() == {"format": "pt", "who": "fovea"}, f.metadata()
    print("equal")


def load(path):
    """The tensors of a file, or of the shards of an index, which must hold what the index says and nothing else."""
    if not path.endswith(".json"):
        return load_file(path)
    with open(path) as f:
        index = json.load(f)
    where, t = index["weight_map"], {}
    for shard in sorted(set(where.values())):
        part = load_file(os.path.join(os.path.dirname(path), shard))
        assert set(part) == {n for n, s in where.items() if s == shard}, shard
        t |= part
    assert index["metadata"]["total_size"] == sum(v.numel() * v.element_size() for v in t.values())
    return t


def same(paths):
    for a, b in zip(paths[::2], paths[1::2]):
        a, b = load(a), load(b)
        assert a.keys() == b.keys(), a.keys() ^ b.keys()
        for name, v in a.items():
            w = b[name]
            assert v.dtype == w.dtype and v.shape == w.shape, (name, v.dtype, w.dtype, v.shape, w.shape)
            assert v.contiguous().reshape(-1).view(torch.uint8).equal(w.contiguous().reshape(-1).view(torch.uint8)), name
    print("equal")


def split(cases):
    """Prints a line a case: shards separated by |, tensors by their index."""
    from huggingface_hub import split_torch_state_dict_into_shards

    for case in cases:
        limit, sizes = case.split(":")
        tensors = {str(i): torch.zeros(int(n), dtype=torch.uint8) for i, n in enumerate(sizes.split(","))}
        state = split_torch_state_dict_into_shards(tensors, max_shard_size=int(limit))
        assert state.metadata["total_size"] == sum(v.numel() for v in tensors.values())
        print("|".join(" ".join(members) for members in state.filename_to_tensors.values()))


def main():
    if sys.argv[1:2] == ["check"]:
        return check(sys.argv[2])
    if sys.argv[1:2] == ["same"]:
        return same(sys.argv[2:])
    if sys.argv[1:2] == ["split"]:
        return split(sys.argv[2:])
    os.makedirs(OUT, exist_ok=True)
    os.makedirs("internal/test/golden/testdata", exist_ok=True)
    save_file(types(), f"{OUT}/types.safetensors", metadata=META)
    save_file(half(), f"{OUT}/half.safetensors", metadata=META)
    layers = layer()
    for name, t in layers.items():
        save_file(t, f"{OUT}/{name}.safetensors", metadata=META)
    shards(layers["hub"])
    save_file({"x": torch.arange(6, dtype=torch.float32).reshape(2, 3), "ids": torch.tensor([3, -1]), "mask": torch.tensor([True, False]),
               "half": torch.tensor([0.5, -2.0]).half()},
              "internal/test/golden/testdata/small.safetensors", metadata=META)
    save_file({"x": torch.zeros(1)}, "internal/test/golden/testdata/bare.safetensors")


main()
