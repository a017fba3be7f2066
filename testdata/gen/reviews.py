"""Makes the data of examples/finetune-text/reviews from the source archive of the Python package vaderSentiment 3.3.2.

    pip download --no-deps --no-binary :all: vaderSentiment==3.3.2
    python reviews.py vaderSentiment-3.3.2.tar.gz ../../examples/finetune-text/reviews

The archive holds another one with snippets of movie reviews and the mean of at least 20 ratings, from -4 to 4. A snippet with a
rating of 1 or more is positive, with -1 or less negative, and the others are left out. Of each class, 1,000 snippets are drawn for
training and 500 for testing. It uses the standard library alone.
"""

import gzip
import html
import io
import pathlib
import random
import sys
import tarfile

archive, out = sys.argv[1], pathlib.Path(sys.argv[2])
with tarfile.open(archive) as outer:
    root = outer.getnames()[0].split("/")[0]
    inner = outer.extractfile(f"{root}/additional_resources/hutto_ICWSM_2014.tar.gz").read()
    licence = outer.extractfile(f"{root}/LICENSE.txt").read()
with tarfile.open(fileobj=io.BytesIO(inner)) as data:
    table = data.extractfile("hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt").read().decode("utf-8")

classes = {"negative": [], "positive": []}
for row in table.split("\r\n"):
    if not row:
        continue
    _, rating, text = row.split("\t")
    text = " ".join(html.unescape(text).split())
    if abs(float(rating)) >= 1 and all(text not in known for known in classes.values()):
        classes["positive" if float(rating) > 0 else "negative"].append(text)

rng = random.Random(1)
parts = {"train": [], "test": []}
for label, texts in classes.items():
    rng.shuffle(texts)
    parts["train"] += [(text, label) for text in texts[:1000]]
    parts["test"] += [(text, label) for text in texts[1000:1500]]
for name, rows in parts.items():
    rng.shuffle(rows)
    body = "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows)
    (out / "data" / f"{name}.tsv.gz").write_bytes(gzip.compress(body.encode("utf-8"), 9, mtime=0))
(out / "LICENSE").write_bytes(licence.rstrip() + b"\n")
