"""Writes metrics/testdata/retrieval.safetensors: recall of image-text retrieval, computed plainly.

    python testdata/gen/metrics_retrieval.py     # from the module's root

    <case>/images [n, dim], texts [m, dim], image_of [m]
    <case>/k, to_texts, to_images: the recall at each k

Seed 1; versions as in requirements.txt.
"""

import os

import numpy as np
from safetensors.numpy import save_file

rng = np.random.default_rng(1)
tensors = {}


def recall(queries, items, relevant, k):
    found = 0
    for q, own in zip(queries, relevant):
        scores = items.astype(np.float64) @ q.astype(np.float64)
        order = sorted(range(len(items)), key=lambda i: (-scores[i], i))  # the first of equals first
        found += any(i in own for i in order[:k])
    return found / len(queries)


def case(name, n, captions, dim, integers=False):
    images = rng.standard_normal((n, dim))
    image_of = rng.permutation(np.concatenate([np.full(captions(), i) for i in range(n)]))
    texts = images[image_of] + 1.5 * rng.standard_normal((len(image_of), dim))
    if integers:  # exact scores, often equal
        images, texts = np.round(images), np.round(texts)
    images, texts = images.astype(np.float32), texts.astype(np.float32)
    of_image = [set(np.flatnonzero(image_of == i)) for i in range(n)]
    ks = [1, 2, 5, 10, 1000]
    tensors[f"{name}/images"], tensors[f"{name}/texts"] = images, texts
    tensors[f"{name}/image_of"], tensors[f"{name}/k"] = image_of.astype(np.int64), np.array(ks, dtype=np.int64)
    tensors[f"{name}/to_texts"] = np.array([recall(images, texts, of_image, k) for k in ks], dtype=np.float32)
    tensors[f"{name}/to_images"] = np.array([recall(texts, images, [{i} for i in image_of], k) for k in ks], dtype=np.float32)


case("one", 70, lambda: 1, 6)
case("several", 80, lambda: int(rng.integers(1, 5)), 8)
case("ties", 40, lambda: int(rng.integers(1, 4)), 3, integers=True)
save_file(tensors, os.path.join("metrics", "testdata", "retrieval.safetensors"),
          metadata={"script": "metrics_retrieval.py", "versions": f"numpy {np.__version__}", "seed": "1"})
