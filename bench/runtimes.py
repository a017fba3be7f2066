"""Prepares ONNX Runtime and OpenVINO for peers.py, from the files of export.py. It does not import PyTorch."""

import collections
import os
import tempfile

import numpy

from cases import folder, split


def prepare(engine, case, threads):
    """Returns a function that runs the case once, and one that says which kernels run."""
    with numpy.load(os.path.join(folder(case), "inputs.npz")) as f:
        inputs = dict(f)
    return (onnx_runtime if engine == "onnxruntime" else openvino)(engine, case, inputs, threads)


def onnx_runtime(_, case, inputs, threads):
    import onnxruntime

    path = os.path.join(folder(case), "dynamic.onnx" if split(case)[2] == "int8" else "network.onnx")

    def session(optimized=None):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        if optimized:
            options.optimized_model_filepath = optimized
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def precision():
        import onnx

        with tempfile.TemporaryDirectory() as out:
            file = os.path.join(out, "optimized.onnx")
            session(file)
            nodes = collections.Counter(n.op_type for n in onnx.load(file, load_external_data=False).graph.node)
        return counted({n: c for n, c in nodes.items() if any(w in n for w in ("MatMul", "Gemm", "Conv", "Attention", "LSTM"))})

    s = session()
    return (lambda: s.run(None, inputs)), precision


def openvino(engine, case, inputs, threads):
    import openvino

    core, math = openvino.Core(), split(case)[2]
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    file = "network.xml"
    if math == "int8":  # the other operations run in the precision that OpenVINO prefers on this machine
        file = "static.xml"
        if engine == "openvino-dynamic":
            file = "compressed.xml"
            with open(os.path.join(folder(case), "group.txt")) as f:
                settings["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = int(f.read())
    else:
        settings["INFERENCE_PRECISION_HINT"] = "bf16" if math == "bf16" else "f32"
    model = core.compile_model(core.read_model(os.path.join(folder(case), file)), "CPU", settings)
    request, values = model.create_infer_request(), list(inputs.values())

    def precision():
        kernels = collections.Counter()
        for op in model.get_runtime_model().get_ordered_ops():
            info = op.get_rt_info()
            kind, kernel, of = (info[k].astype(str) if k in info else "" for k in ("layerType", "primitiveType", "runtimePrecision"))
            if any(w in kind for w in ("FullyConnected", "MatMul", "Convolution", "Attention", "MHA", "Sequence", "RNN")):
                kernels[f"{kind} {kernel} of {of}"] += 1
        return counted(kernels)

    return (lambda: request.infer(values)), precision


def counted(kernels):
    return ", ".join(f"{n} {name}" for name, n in collections.Counter(kernels).most_common(4)) or "no products"
