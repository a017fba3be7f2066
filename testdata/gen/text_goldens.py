"""Writes text/testdata/reference.json.gz: small tokenizers and folders with their cases, for tests without Python.

Needs tokenizers 0.23.3, transformers 5.23.0 and sentencepiece 0.2.3.
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile

import tokenizers
import transformers

HERE = os.path.dirname(os.path.abspath(__file__))
SEED = "7"


def run(script, folder, count):
    subprocess.run([sys.executable, os.path.join(HERE, script), folder, SEED, str(count)], check=True, stderr=subprocess.DEVNULL)


def files(folder):
    out = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as source:
            out[name] = source.read().hex() if name.endswith(".model") else source.read().decode("utf-8")
    return out


def lines(path):
    with open(path, encoding="utf-8") as source:
        return [json.loads(line) for line in source]


def main():
    out = {"script": "text_goldens.py", "seed": SEED, "tokenizers": {}, "folders": [], "siglip": [],
           "versions": {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__}}
    with tempfile.TemporaryDirectory() as folder:
        run("text_tokenizers.py", folder, 8)
        for name in sorted(f[:-5] for f in os.listdir(folder) if f.endswith(".json")):
            with open(os.path.join(folder, name + ".json"), encoding="utf-8") as source:
                out["tokenizers"][name] = {"json": json.load(source), "cases": lines(os.path.join(folder, name + ".cases"))}
    with tempfile.TemporaryDirectory() as folder:
        run("text_folders.py", folder, 60)
        for i, case in enumerate(lines(os.path.join(folder, "cases"))):
            case["texts"] = case.get("texts", [])[:3]
            content = files(os.path.join(folder, str(i)))
            if sum(map(len, content.values())) > 200_000:  # a charsmap of Unicode, as in normalize.json
                continue
            out["folders"].append({"files": content, "case": case})
    with tempfile.TemporaryDirectory() as folder:
        run("text_siglip.py", folder, 320)
        cases = lines(os.path.join(folder, "cases"))
        for i in range(1 + cases[-1]["folder"]):
            content = files(os.path.join(folder, str(i)))
            if sum(map(len, content.values())) < 60_000:
                out["siglip"].append({"files": content, "cases": [c for c in cases if c["folder"] == i]})
    path = os.path.join(HERE, "..", "..", "text", "testdata", "reference.json.gz")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as packed:
        packed.write(json.dumps(out, separators=(",", ":")).encode("utf-8"))


main()
