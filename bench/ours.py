"""Starts a Go program in bench and sends it requests: Fovea's side of run.py and vision.py.

bench/internal/serve describes the requests.
"""

import functools
import os
import subprocess
import sys

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


@functools.cache
def build(program):
    """Builds bench/PROGRAM, once, and returns the path of the binary."""
    binary = os.path.join(root, "bench", program, program + ".test")
    subprocess.run(["go", "build", "-o", binary, "./bench/" + program], cwd=root, check=True)
    return binary


class Worker:
    """A process of bench/PROGRAM. simd forces an instruction set; "" is the best one."""

    def __init__(self, program, simd):
        env = dict(os.environ, **({"FOVEA_SIMD": simd} if simd else {}))
        self.program = program
        self.p = subprocess.Popen([build(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def ask(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        answer = self.p.stdout.readline().strip()
        if not answer or answer.startswith("error"):
            sys.exit(f"bench/{self.program}: {line}: {answer or 'the program ended'}")
        return answer

    def close(self):
        self.p.stdin.close()
        self.p.wait()
