"""Counts the instructions of the arm64 kernels beside those of the portable ones, on an emulated CPU.

    python bench/instructions.py [--only gemm,softmax]

It needs Go and qemu-aarch64-static (qemu-user-static). A piece of work is done once and twice, and the difference is counted: the
instructions of package simd and of the copies that it asks for. Instructions are not time: a CPU executes several at once. The table shows
what an instruction set saves, on CPUs with and without the instructions that multiply bfloat16 and int8.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

# Emulated CPUs: Advanced SIMD alone; with dot products of int8; with matrices of bfloat16 and int8.
CPUS = {"base": "cortex-a57", "dot product": "cortex-a76", "bf16, i8mm": "max"}

# The functions that count. The scheduler and the collector of Go do not: they depend on the time.
COUNTED = re.compile(rb" (github.com/fovea-ml/fovea/simd|runtime.mem(move|clr))")


def count(binary, work, cpu, level):
    """The instructions of one piece of work."""
    totals = []
    for rounds in (1, 2):
        command = ["qemu-aarch64-static", "-cpu", cpu, "-singlestep", "-d", "exec,nochain", "-D", "/dev/stdout", binary, work, str(rounds)]
        env = dict(os.environ, FOVEA_SIMD=level, GOMAXPROCS="1", GOGC="off")
        run = subprocess.Popen(command, env=env, stdout=subprocess.PIPE)
        totals.append(sum(1 for line in run.stdout if COUNTED.search(line)))
        if run.wait() != 0:
            sys.exit(f"instructions.py: {work} on {cpu} failed")
    return totals[1] - totals[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="beginnings of the names of work, separated by commas")
    only = tuple(parser.parse_args().only.split(","))
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with tempfile.TemporaryDirectory() as folder:
        binary = os.path.join(folder, "instructions")
        subprocess.run(["go", "build", "-o", binary, "./bench/instructions"], cwd=root, env=dict(os.environ, GOOS="linux", GOARCH="arm64", CGO_ENABLED="0"), check=True)
        works = subprocess.run(["qemu-aarch64-static", binary], stdout=subprocess.PIPE, check=True, text=True).stdout.split()
        print("| work | CPU | portable | NEON | portable / NEON |")
        print("|---|---|---:|---:|---:|")
        for work in works:
            if not work.startswith(only):
                continue
            # The portable kernels do not ask for features.
            portable = count(binary, work, CPUS["base"], "generic")
            for name, cpu in CPUS.items():
                if name != "base" and not work.endswith(("bf16", "int8")) or name == "dot product" and work.endswith("bf16"):
                    continue
                neon = count(binary, work, cpu, "neon")
                print(f"| {work} | {name} | {portable:,} | {neon:,} | {portable / neon:.1f} |", flush=True)


if __name__ == "__main__":
    main()
