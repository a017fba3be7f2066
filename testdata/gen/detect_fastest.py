"""Runs FastestDet as its authors do, on the photographs of its repository.

    python detect_fastest.py CHECKOUT DATA    the goldens models/detect/testdata/fastest.{safetensors,json}
    python detect_fastest.py onnx MODEL FILE  the output of an ONNX model for the pixels in FILE, to FILE.output

CHECKOUT is github.com/dog-qiuqiu/FastestDet, and DATA a folder with the photographs 0.jpg to 2.jpg and FastestDet.onnx. Its test.py
reads an image by OpenCV and resizes it; handle_preds in utils/tool.py makes detections of the network's output. The
.json file holds them for the script's threshold of 0.65 and for 0.25, [x1, y1, x2, y2, score, class] with coordinates from 0 to 1,
and the checksum (CRC-32) of the resized image. The .safetensors file holds the output of the ONNX file at every ninth cell.

Versions: requirements.txt, and opencv-python-headless 5.0.0 for the goldens.
"""

import json
import os
import sys
import types
import zlib

import numpy as np
import onnxruntime
from safetensors.numpy import load_file, save_file


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options)


def onnx(path, pixels):
    s = session(path)
    return np.concatenate([s.run(None, {s.get_inputs()[0].name: p[None]})[0] for p in pixels])


def goldens(checkout, data):
    import cv2
    import torch
    from opcases import golden
    sys.modules.setdefault("yaml", types.ModuleType("yaml"))
    sys.path.insert(0, checkout)
    from utils.tool import handle_preds
    found, raw = [], {}
    for i in range(3):
        image = cv2.resize(cv2.imread(f"{data}/{i}.jpg"), (352, 352), interpolation=cv2.INTER_LINEAR)
        pixels = torch.from_numpy(image[None].transpose(0, 3, 1, 2)).float() / 255.0
        output = onnx(f"{data}/FastestDet.onnx", pixels.numpy())
        raw[f"{i}"] = np.ascontiguousarray(output[0].reshape(85, -1)[:, ::9])
        each = {"crc32": zlib.crc32(image.tobytes())}
        for threshold in (0.65, 0.25):
            rows = handle_preds(torch.from_numpy(output), torch.device("cpu"), threshold)[0]
            each[str(threshold)] = [[float(v) for v in row] for row in rows]
        found.append(each)
    versions = f"opencv {cv2.__version__}, onnxruntime {onnxruntime.__version__}, torch {torch.__version__}"
    save_file(raw, golden("models/detect", "fastest.safetensors"), metadata={"script": "detect_fastest.py", "versions": versions, "seed": "none"})
    with open(golden("models/detect", "fastest.json"), "w") as f:
        json.dump({"script": "detect_fastest.py", "versions": versions, "images": found}, f, indent=1)
        f.write("\n")


if sys.argv[1] == "onnx":
    save_file({"output": onnx(sys.argv[2], load_file(sys.argv[3])["pixels"])}, sys.argv[3] + ".output",
              metadata={"script": "detect_fastest.py", "versions": f"onnxruntime {onnxruntime.__version__}", "seed": "none"})
else:
    goldens(os.path.abspath(sys.argv[1]), sys.argv[2])
