"""Runs huggingface_hub on the cache of package hub, for the tests of hub.

    check_hub.py get NAME [PATTERN...]    fetch, or find when HF_HUB_OFFLINE is set, a model
    check_hub.py scan                     list the cache, as "hf cache" does
    check_hub.py lock FILE                hold a lock until a line comes in
    check_hub.py try FILE                 ask whether a lock is free

Each prints one JSON value on a line. HF_ENDPOINT and HF_HUB_CACHE name the hub and the cache. Runs with huggingface_hub 2.4.0.
"""

import hashlib
import json
import os
import sys

import filelock
from huggingface_hub import _CACHED_NO_EXIST, scan_cache_dir, snapshot_download, try_to_load_from_cache
from huggingface_hub.utils import WeakFileLock, disable_progress_bars


def say(value):
    print(json.dumps(value), flush=True)


def get(name, *patterns):
    name, _, revision = name.partition("@")
    folder = snapshot_download(name, revision=revision or None, allow_patterns=list(patterns) or None)
    files = {}
    for root, _, names in os.walk(folder):
        for n in names:
            path = os.path.join(root, n)
            with open(path, "rb") as f:
                files[os.path.relpath(path, folder).replace(os.sep, "/")] = hashlib.sha256(f.read()).hexdigest()
    absent = [n for n in ("vocab.txt", "config.json") if try_to_load_from_cache(name, n, revision=revision or None) is _CACHED_NO_EXIST]
    say({"dir": folder, "files": files, "absent": absent})


def scan():
    info = scan_cache_dir()
    say({
        "warnings": [str(w) for w in info.warnings],
        "models": {r.repo_id: sorted(ref for v in r.revisions for ref in v.refs) for r in info.repos},
        "incomplete": len(info.incomplete_files),
    })


def lock(path):
    with WeakFileLock(path):
        say("held")
        sys.stdin.readline()
    say("released")


def attempt(path):
    try:
        with WeakFileLock(path, timeout=0.3):
            say("free")
    except filelock.Timeout:
        say("held")


disable_progress_bars()
{"get": get, "scan": scan, "lock": lock, "try": attempt}[sys.argv[1]](*sys.argv[2:])
