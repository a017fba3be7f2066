"""Times Fovea's tokenizers and those of the library tokenizers in turn, on the same texts.

    python bench/text.py --corpus english=english.txt --corpus code=code.txt [--pairs 15] [--threads 1,2] FOLDER...

A folder holds a tokenizer.json, which both sides read, or other files of a tokenizer. Those are opened by Fovea, which
writes the tokenizer.json for both. Each corpus is encoded in two ways:

lines   its lines as one batch
whole   as one text, which both sides encode in one thread

Special tokens and offsets are part of the work. The ids of both sides are compared before they are timed. A
difference is an error. The peer has a process for each number of threads (RAYON_NUM_THREADS, TOKENIZERS_PARALLELISM).

It needs tokenizers (testdata/gen/requirements.txt) and Go, and paths without spaces. It prints a Markdown table:
minimum and median of each side in milliseconds, Fovea's MB/s, how many times the rate of tokenizers it has by the
minima, with the spread of the ratios of pairs, and Fovea's allocations for each text. --profile DIR also writes a
profile of Fovea's processor time for each line of the table.
"""

import argparse
import hashlib
import os
import statistics
import sys
import tempfile
import time

from ours import Failed, Process, Worker


def peer():
    """Answers the requests of bench/text with tokenizers: prepare, run and digest."""
    from tokenizers import Tokenizer

    t, encode, loaded = None, None, None
    for line in sys.stdin:
        request, *words = line.split()
        try:
            if request == "prepare":
                kind, path, corpus = words[:3]
                if loaded != path:
                    t, loaded = Tokenizer.from_file(path), path
                    t.no_padding()
                    t.no_truncation()
                text = open(corpus, encoding="utf-8", errors="replace", newline="").read()
                texts = [text] if kind == "whole" else text.removesuffix("\n").split("\n")
                encode = (lambda t, texts: lambda: [t.encode(texts[0])])(t, texts) if kind == "whole" else (
                    lambda t, texts: lambda: t.encode_batch(texts))(t, texts)
                answer = "ok"
            elif request == "digest":
                h = hashlib.sha256()
                for e in encode():
                    h.update(("".join(f"{i} " for i in e.ids) + "\n").encode())
                answer = h.hexdigest()
            else:
                times = []
                for _ in range(int(words[0])):
                    start = time.perf_counter()
                    result = encode()
                    times.append((time.perf_counter() - start) * 1e3)
                    del result
                answer = str(min(times))
        except Exception as e:  # the other side prints it
            answer = "error " + str(e).replace("\n", " ")
        print(answer, flush=True)


class Peer(Process):
    """A process of tokenizers with a number of threads."""

    def __init__(self, threads):
        super().__init__("tokenizers", [sys.executable, os.path.abspath(__file__), "--peer"],
                         {"RAYON_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false"})


def report(o, ours, other, name, tokenizer, corpus, path, kind, threads):
    """Compares the ids, times a case in turn and prints a row. It returns whether the ids are equal."""
    row = f"| {name} | {corpus}, {kind} | {threads} |"
    try:
        for side in ours, other:
            side.ask(f"prepare {kind} {tokenizer} {path} {threads}")
        if ours.ask("digest") != other.ask("digest"):
            raise Failed("ids differ")
    except Failed as e:
        print(f"{row} {e} | | | | |", flush=True)
        return False
    if o.profile:
        ours.ask(f"profile 10 {os.path.join(o.profile, f'{name}-{corpus}-{kind}-{threads}.prof')}")
    for side in ours, other:
        side.ask("run 2")
    a, b = [], []
    for _ in range(o.pairs):
        a.append(float(ours.ask("run 1")))
        b.append(float(other.ask("run 1")))
    ratios = sorted(y / x for x, y in zip(a, b))
    print(f"{row} {min(a):.1f} / {statistics.median(a):.1f} | {min(b):.1f} / {statistics.median(b):.1f} | "
          f"{os.path.getsize(path) / 1e3 / min(a):.1f} | "
          f"{min(b) / min(a):.2f} ({ratios[len(ratios) // 10]:.2f}..{ratios[-1 - len(ratios) // 10]:.2f}) | "
          f"{float(ours.ask('allocations')):.1f} of {ours.ask('texts')} |", flush=True)
    return True


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folders", nargs="*", metavar="FOLDER")
    p.add_argument("--corpus", action="append", default=[], metavar="NAME=FILE")
    p.add_argument("--pairs", type=int, default=15)
    p.add_argument("--threads", default="1,2")
    p.add_argument("--kinds", default="lines,whole")
    p.add_argument("--profile", help="a folder for profiles")
    p.add_argument("--peer", action="store_true", help="be the process of tokenizers")
    o = p.parse_args()
    if o.peer:
        peer()
        return
    if not o.folders or not o.corpus:
        p.error("expected at least one folder and one --corpus NAME=FILE")
    import tokenizers

    ours = Worker("text", "")
    equal = True
    print(f"ours {ours.ask('info')}; tokenizers {tokenizers.__version__}\n")
    print("| tokenizer | corpus | threads | ours, ms min / median | tokenizers, ms min / median | ours, MB/s | "
          "how many times the rate of tokenizers (10..90 %) | allocations a text |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as tmp:
        peers = {n: Peer(n) for n in map(int, o.threads.split(","))}
        for folder in o.folders:
            name = os.path.basename(os.path.normpath(folder))
            tokenizer = os.path.abspath(os.path.join(folder, "tokenizer.json"))
            if not os.path.exists(tokenizer):
                tokenizer = os.path.join(tmp, name + ".json")
                ours.ask(f"convert {os.path.abspath(folder)} {tokenizer}")
            for corpus in o.corpus:
                corpus, path = corpus.split("=", 1)
                for kind in o.kinds.split(","):
                    for threads, other in peers.items():
                        if kind == "lines" or threads == 1:
                            equal &= report(o, ours, other, name, tokenizer, corpus, os.path.abspath(path), kind, threads)
        for other in peers.values():
            other.close()
    ours.close()
    if not equal:
        sys.exit(1)


if __name__ == "__main__":
    main()
