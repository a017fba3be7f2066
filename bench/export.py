"""Writes a network of networks.py for ONNX Runtime and OpenVINO, so that their processes hold nothing else.

    python bench/export.py CASE FOLDER

The case has an arithmetic. Files that are there already are kept:

- network.onnx, network.xml, inputs.npz: float32
- dynamic.onnx: int8 weights, activations by ONNX Runtime's dynamic quantization
- static.xml: int8 by NNCF's post-training quantization; the case's inputs give the ranges
- compressed.xml: int8 weights by NNCF; OpenVINO quantizes activations when it runs. group.txt holds the length of its groups: the
  smallest input of a linear layer, so that each group is a row, or a part of it
"""

import math
import os
import sys
import warnings

import numpy
import onnx
import torch

import networks
from cases import split


def write(folder, file, function):
    path = os.path.join(folder, file)
    if not os.path.exists(path):
        function(path)
    return path


def export(name, path):
    module, inputs = networks.network(name)
    module.eval()
    names = [f"input{i}" for i in range(len(inputs))]
    torch.onnx.export(module, tuple(inputs), path, input_names=names, dynamo=True, verbose=False, external_data=False)
    folder = os.path.dirname(path)
    numpy.savez(os.path.join(folder, "inputs.npz"), **{n: x.numpy() for n, x in zip(names, inputs)})
    widths = [m.in_features for m in module.modules() if isinstance(m, torch.nn.Linear)]
    with open(os.path.join(folder, "group.txt"), "w") as f:
        print(math.gcd(*widths) if widths else 0, file=f)


def ranges(path):
    """Post-training quantization."""
    import nncf
    import openvino

    folder = os.path.dirname(path)
    with numpy.load(os.path.join(folder, "inputs.npz")) as f:
        inputs = dict(f)
    model = openvino.Core().read_model(os.path.join(folder, "network.xml"))
    attends = any(op.get_type_name() in ("Softmax", "ScaledDotProductAttention") for op in model.get_ordered_ops())
    kind = nncf.ModelType.TRANSFORMER if attends else None
    model = nncf.quantize(model, nncf.Dataset([inputs]), model_type=kind, subset_size=1)
    openvino.save_model(model, path, compress_to_fp16=False)


def compress(path):
    import nncf
    import openvino

    model = openvino.Core().read_model(os.path.join(os.path.dirname(path), "network.xml"))
    openvino.save_model(nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM), path, compress_to_fp16=False)


def dynamic(path):
    """Dynamic quantization with one scale a matrix, the faster of its forms. Convolutions stay: their integer form is slower."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    source = os.path.join(os.path.dirname(path), "network.onnx")
    quantize_dynamic(onnx.load(source), path, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm", "Attention", "LSTM"])


def convert(path):
    import openvino

    model = openvino.Core().read_model(os.path.join(os.path.dirname(path), "network.onnx"))
    openvino.save_model(model, path, compress_to_fp16=False)


def main(case, folder):
    warnings.simplefilter("ignore")
    name, _, arithmetic = split(case)
    write(folder, "network.onnx", lambda path: export(name, path))
    parts = {"network.xml": convert}
    if arithmetic == "int8":
        parts.update({"dynamic.onnx": dynamic, "static.xml": ranges, "compressed.xml": compress})
    for file, function in parts.items():
        try:
            write(folder, file, function)
        except Exception as e:  # the engine that asks for the file then says that it is missing
            print(f"{case}: {file}: {type(e).__name__}: {(str(e).splitlines() or [''])[0][:200]}", file=sys.stderr)


main(*sys.argv[1:])
