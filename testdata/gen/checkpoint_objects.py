"""Writes checkpoint/testdata/torch/objects: weights beside values of all kinds of classes.

    python testdata/gen/checkpoint_objects.py    # from the module's root

wrapped*.pt hold the weights under state_dict and everything else beside it, flat.pt holds both in one dictionary. The
weights are those of expected.safetensors. refused_*.pt hold a tensor that only some class can make. Modules that are
not installed are stood in for by classes of the same names. The *.pth files there were made by users' scripts
alike; expected_pth.safetensors has their weights, as torch.load reads them. Seed 1; versions as in requirements.txt.
"""

import argparse
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import glob
import os
import pathlib
import re
import sys
import types
import uuid
import warnings

import numpy as np
import torch
from safetensors.torch import save_file

warnings.simplefilter("ignore")
OUT = "checkpoint/testdata/torch/objects"


def module(name, **members):
    m = types.ModuleType(name)
    for key, value in members.items():
        setattr(m, key, value)
        value.__module__, value.__qualname__ = name, key
    sys.modules[name] = m
    return m


class DictConfig(dict):
    def __init__(self, content=None):
        super().__init__()
        self.__dict__["_content"] = content

    def __reduce_ex__(self, protocol):
        return DictConfig, (None,), {"_metadata": None, "_content": self.__dict__["_content"]}


class ListConfig(list):
    pass


class EasyDict(dict):
    __getattr__ = dict.get


class Ordered(collections.OrderedDict):
    pass


class Mode(enum.Enum):
    TRAIN = "train"


class Level(enum.IntEnum):
    LOW = 1


class Flags(enum.Flag):
    A = 1
    B = 2


@dataclasses.dataclass
class Options:
    lr: float = 0.1
    sizes: tuple = (1, 2)


class Slots:
    __slots__ = ("a",)

    def __init__(self):
        self.a = 3


class Keywords:
    def __new__(cls, *, size):
        return object.__new__(cls)

    def __getnewargs_ex__(self):
        return (), {"size": 4}


class EMA:
    def __init__(self, tensor):
        self.shadow = [tensor]


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)


class Odd(torch.Tensor):
    def __reduce_ex__(self, protocol):
        return rebuild_odd, (torch.Tensor(self),)


def rebuild_odd(x):
    return x * 2


Point = collections.namedtuple("Point", "x y")


def main():
    module("omegaconf", DictConfig=DictConfig, ListConfig=ListConfig)
    module("easydict", EasyDict=EasyDict)
    module("project", Ordered=Ordered, Mode=Mode, Level=Level, Flags=Flags, Options=Options, Slots=Slots, Keywords=Keywords, EMA=EMA, Net=Net, Odd=Odd,
           rebuild_odd=rebuild_odd, Point=Point)
    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    weights = net.state_dict()
    easy = EasyDict(a=1, b=[1, 2])
    ordered = Ordered(a=1)
    ordered.note = "x"
    harmless = {
        "datetime": datetime.datetime(2024, 5, 6, 7, tzinfo=datetime.timezone.utc),
        "date": datetime.date(2024, 5, 6),
        "timedelta": datetime.timedelta(days=1),
        "deque": collections.deque([1.0, 2.0], maxlen=20),
        "range": range(1, 10, 2),
        "slice": slice(1, None),
        "ellipsis": Ellipsis,
        "notimplemented": NotImplemented,
        "enum": Mode.TRAIN,
        "intenum": Level.LOW,
        "flag": Flags.A | Flags.B,
        "class": torch.nn.Linear,
        "builtin": int,
        "function": len,
        "method": "abc".upper,
        "partial": functools.partial(torch.nn.LayerNorm, eps=1e-6),
        "namespace": argparse.Namespace(lr=0.1, out=pathlib.Path("/a/b"), mode=Mode.TRAIN),
        "simple": types.SimpleNamespace(a=1),
        "path": pathlib.PurePosixPath("a/b"),
        "ordered": collections.OrderedDict(a=1),
        "subclass": ordered,
        "counter": collections.Counter("aab"),
        "default": collections.defaultdict(list, {"a": [1]}),
        "factory": collections.defaultdict(Net),
        "chain": collections.ChainMap({"a": 1}),
        "namedtuple": Point(1, 2),
        "dataclass": Options(),
        "slots": Slots(),
        "keywords": Keywords(size=4),
        "omegaconf": DictConfig({"lr": ListConfig([0.1, 0.2])}),
        "easydict": easy,
        "array": np.arange(3.0),
        "strings": np.array(["a", "bc"]),
        "objects": np.array([{"a": 1}, None], dtype=object),
        "records": np.zeros(2, dtype=[("a", "f4"), ("b", "i8")]),
        "masked": np.ma.array([1, 2], mask=[0, 1]),
        "scalar": np.float64(0.5),
        "datetime64": np.datetime64("2024-05-06"),
        "structured": np.zeros(1, dtype=[("a", "f4")])[0],
        "longdouble": np.longdouble(0.5),
        "generator": np.random.RandomState(1).get_state(),
        "random": np.random.default_rng(1),
        "complex": 1 + 2j,
        "bytes": b"\x00\xff",
        "bytearray": bytearray(b"ab"),
        "decimal": decimal.Decimal("1.5"),
        "fraction": fractions.Fraction(1, 3),
        "uuid": uuid.UUID(int=7),
        "regex": re.compile("a+"),
        "set": {1, 2},
        "frozenset": frozenset([1]),
        "device": torch.device("cuda", 0),
        "dtype": torch.float16,
        "size": torch.Size([1, 2]),
        "layout": torch.strided,
        "epoch": 7,
        ("a", 1): "tuple as key",
        None: 1,
    }
    beside = dict(harmless)
    beside["ema"] = EMA(torch.ones(2))
    beside["history"] = collections.deque([torch.ones(2)])
    beside["untyped"] = torch.ones(2).untyped_storage()
    for name, protocol, options in (("wrapped2.pt", 2, {}), ("wrapped3.pt", 3, {}), ("wrapped5.pt", 5, {}), ("legacy2.pt", 2, {"_use_new_zipfile_serialization": False})):
        torch.save({"state_dict": weights, **beside}, os.path.join(OUT, name), pickle_protocol=protocol, **options)
    flat = {k: v for k, v in harmless.items() if k not in ("array", "strings", "objects", "records", "masked", "random", "generator")}
    torch.save({**weights, **flat}, os.path.join(OUT, "flat.pt"))
    save_file(dict(weights), os.path.join(OUT, "expected.safetensors"))
    for name, value in {
        "module": Net(),
        "model": {"model": Net(), "epoch": 1},
        "ema": {**weights, "ema": EMA(torch.ones(2))},
        "deque": {**weights, "queue": collections.deque([torch.ones(2)])},
        "tensor": {**weights, "odd": torch.ones(2).as_subclass(Odd)},
        "masked": {**weights, "mask": np.ma.array([1.0, 2.0], mask=[0, 1])},
    }.items():
        torch.save(value, os.path.join(OUT, f"refused_{name}.pt"))
    pth = {}
    for file in sorted(glob.glob(os.path.join(OUT, "*.pth"))):
        value = torch.load(file, weights_only=False)
        for key, x in value.get("state_dict", {}).items():
            pth[os.path.basename(file) + ":" + key] = x
    save_file(pth, os.path.join(OUT, "expected_pth.safetensors"))


if __name__ == "__main__":
    main()
