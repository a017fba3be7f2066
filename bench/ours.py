"""Starts a program in bench and sends it requests: Fovea's side and the peers' side of run.py and vision.py.

bench/internal/serve describes the requests.
"""

import functools
import os
import subprocess
import sys
import tempfile

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


@functools.cache
def build(program, commit=""):
    """Builds bench/PROGRAM, once, and returns the path of the binary. commit is a commit to build instead of the files as they are.

    The same source gives the same binary, whatever the commit: run.py keeps its rows by the binary.
    """
    command = ["go", "build", "-buildvcs=false", "-trimpath", "-o"]
    if not commit:
        binary = os.path.join(root, "bench", program, program + ".test")
        subprocess.run([*command, binary, "./bench/" + program], cwd=root, check=True)
        return binary
    with tempfile.TemporaryDirectory() as folder:
        files = subprocess.run(["git", "archive", commit], cwd=root, check=True, stdout=subprocess.PIPE).stdout
        subprocess.run(["tar", "-x"], cwd=folder, input=files, check=True)
        binary = os.path.join(root, "bench", program, f"{program}-{commit}.test")
        subprocess.run([*command, binary, "./bench/" + program], cwd=folder, check=True)
    return binary


class Failed(SystemExit):
    """A program answered a request with an error, or ended. Uncaught, it ends this program with that message."""


class Process:
    """A program that answers each line with a line."""

    def __init__(self, name, command, env=None):
        self.name = name
        self.p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                  stderr=subprocess.DEVNULL if name != "ours" else None, env=dict(os.environ, **(env or {})))

    def ask(self, line):
        try:
            self.p.stdin.write(line + "\n")
            self.p.stdin.flush()
            answer = self.p.stdout.readline().strip()
        except BrokenPipeError:
            answer = ""
        if not answer or answer.startswith("error"):
            raise Failed(f"{self.name}: {line}: {answer or 'the program ended'}")
        return answer

    def close(self):
        self.p.stdin.close()
        self.p.wait()


class Worker(Process):
    """A process of bench/PROGRAM, of a commit or of the files as they are. simd forces an instruction set; "" is the best one."""

    def __init__(self, program, simd, commit=""):
        super().__init__(commit or "ours", [build(program, commit)], {"FOVEA_SIMD": simd} if simd else None)


class Peer(Process):
    """A process of peers.py. simd limits PyTorch, oneDNN and MKL to an instruction set."""

    def __init__(self, engine, simd):
        limits = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
        super().__init__(engine, [sys.executable, os.path.join(root, "bench", "peers.py"), engine], limits if simd == "avx2" else None)
