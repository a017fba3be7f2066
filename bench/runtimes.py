"""Prepares ONNX Runtime and OpenVINO for peers.py, from the files of export.py.

That runs in a process of its own, so that this one does not import PyTorch.
"""

import collections
import os
import subprocess
import sys
import tempfile
import threading

import numpy

from cases import folder, split


def prepare(engine, case, threads):
    """Returns a function that runs the case once, and one that says which kernels run."""
    path = exported(case, engine)
    with numpy.load(os.path.join(folder(case), "inputs.npz")) as f:
        inputs = dict(f)
    return (onnx_runtime if engine == "onnxruntime" else openvino)(engine, case, path, inputs, threads)


def exported(case, engine):
    """Returns the path of the engine's network, which export.py writes unless it is there."""
    files = {"onnxruntime": "network.onnx"}
    if case.endswith("@int8"):
        files = {"onnxruntime": "dynamic.onnx", "openvino": "static.xml", "openvino-dynamic": "compressed.xml"}
    path = os.path.join(folder(case), files.get(engine, "network.xml"))
    if not os.path.exists(path):
        os.makedirs(folder(case), exist_ok=True)
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "export.py")
        done = subprocess.run([sys.executable, script, case, folder(case)], capture_output=True, text=True)
        if not os.path.exists(path):
            raise RuntimeError((done.stderr.splitlines() or ["nothing was exported"])[-1])
    return path


def onnx_runtime(_, case, path, inputs, threads):
    import onnxruntime

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


def openvino(engine, case, path, inputs, threads):
    import openvino

    core, math = openvino.Core(), split(case)[2]
    settings = {"INFERENCE_NUM_THREADS": threads} | ({"PERFORMANCE_HINT": "THROUGHPUT"} if engine == "openvino-throughput" else {"NUM_STREAMS": 1})
    if math != "int8":  # there the other operations run in the precision that OpenVINO prefers on this machine
        settings["INFERENCE_PRECISION_HINT"] = "bf16" if math == "bf16" else "f32"
    elif engine == "openvino-dynamic":
        with open(os.path.join(folder(case), "group.txt")) as f:
            settings["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = int(f.read())
    model = core.compile_model(core.read_model(path), "CPU", settings)
    values, own = list(inputs.values()), threading.local()

    def run():
        if not hasattr(own, "request"):
            own.request = model.create_infer_request()
        own.request.infer(values)

    def precision():
        kernels = collections.Counter()
        for op in model.get_runtime_model().get_ordered_ops():
            info = op.get_rt_info()
            kind, kernel, of = (info[k].astype(str) if k in info else "" for k in ("layerType", "primitiveType", "runtimePrecision"))
            if any(w in kind for w in ("FullyConnected", "MatMul", "Convolution", "Attention", "MHA", "Sequence", "RNN")):
                kernels[f"{kind} {kernel} of {of}"] += 1
        return counted(kernels)

    return run, precision


def counted(kernels):
    return ", ".join(f"{n} {name}" for name, n in collections.Counter(kernels).most_common(4)) or "no products"
