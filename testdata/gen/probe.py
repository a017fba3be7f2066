"""Writes probe/testdata/*.safetensors: logistic regressions and nearest neighbors by scikit-learn.

    python testdata/gen/probe.py               # from the module's root

logistic.safetensors, for each case:
    <case>/features [n, width], labels [n] or targets [n, classes], weights [n] where there are some
    <case>/weight [classes, width], bias [classes]   rows of absent classes are left out
    <case>/predicted [n]
    metadata: <case>/c, <case>/standardize, <case>/objective (C times the sum of the losses, plus half the squared weights)
validation.safetensors, for each case:
    <case>/features, labels, fold [n], accuracy [candidates]; metadata: <case>/folds, candidates
neighbors.safetensors: features, labels, queries and, for cosine and euclidean,
    <metric>/index, similarity [queries, 7], majority [queries], weighted [queries]
fashion.safetensors: predictions for the embedded test images, from the first 10 and 100 training images of each class

Two classes are a binary regression there, one vector w: the golden holds -w/2 and w/2. Soft targets are samples
repeated for each class and weighted. Seed 1; versions as in requirements.txt.
"""

import gzip
import os
import warnings

import numpy as np
import sklearn
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

rng = np.random.default_rng(1)
META = {"script": "probe.py", "versions": f"scikit-learn {sklearn.__version__} numpy {np.__version__}", "seed": "1"}


def save(name, tensors, **meta):
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, os.path.join("probe", "testdata", name), metadata=META | meta)


def samples(n, width, classes, spread=1.0):
    """Clusters that overlap, with features of different scales and means."""
    labels = np.asarray(classes)[rng.integers(0, len(classes), n)]
    centers = rng.standard_normal((max(classes) + 1, width)) * spread
    x = centers[labels] + rng.standard_normal((n, width))
    return (x * rng.uniform(0.2, 2, width) + rng.standard_normal(width)).astype(np.float32), labels.astype(np.int64)


def fit(x, y, c, weights=None, tol=1e-8):
    m = LogisticRegression(C=c, tol=tol, max_iter=100000).fit(x, y, weights)
    w, b = m.coef_, m.intercept_
    if len(b) == 1:
        w, b = np.concatenate([-w / 2, w / 2]), np.concatenate([-b / 2, b / 2])
    return m, w, b


def logistic():
    tensors, meta = {}, {}

    def case(name, x, y, c=1.0, weights=None, targets=None, standardize=False):
        put = {"features": x, "labels": y} if targets is None else {"features": x, "targets": targets}
        if weights is not None:
            put["weights"] = weights
        x = x.astype(np.float64)
        scaler = StandardScaler().fit(x) if standardize else None
        inner = scaler.transform(x) if standardize else x
        n, s = len(x), np.ones(len(x)) if weights is None else weights.astype(np.float64)
        if targets is not None:
            k = targets.shape[1]
            y, s = np.tile(np.arange(k), n), np.repeat(s, k) * targets.astype(np.float64).ravel()
            x, inner = np.repeat(x, k, 0), np.repeat(inner, k, 0)
        m, w, b = fit(inner, y, c, s)
        z = inner @ w.T + b
        losses = np.log(np.exp(z - z.max(1, keepdims=True)).sum(1)) + z.max(1) - z[np.arange(len(z)), np.searchsorted(m.classes_, y)]
        square = (m.coef_**2).sum()
        meta.update({f"{name}/c": repr(c), f"{name}/standardize": str(standardize).lower(),
                     f"{name}/objective": repr(float(c * (s * losses).sum() + square / 2))})
        put["predicted"] = m.predict(inner)[:: len(z) // n]
        if standardize:
            w = w / scaler.scale_
            b = b - w @ scaler.mean_
        put["weight"], put["bias"] = w.astype(np.float32), b.astype(np.float32)
        tensors.update({f"{name}/{k}": v for k, v in put.items()})

    case("plain", *samples(60, 20, range(4)))
    case("weak penalty", *samples(61, 9, range(3)), c=100.0)
    case("strong penalty", *samples(62, 9, range(5)), c=0.01)
    case("two classes", *samples(41, 6, range(2), 0.5))
    case("wide", *samples(15, 40, range(3)), c=0.5)
    case("one feature", *samples(30, 1, range(3)))
    case("absent classes", *samples(50, 7, [0, 2, 5]))
    case("weights", *samples(60, 8, range(4)), weights=rng.uniform(0, 3, 60).round(1).astype(np.float32))
    case("standardized", *samples(60, 11, range(4)), c=0.3, standardize=True)
    x, _ = samples(40, 6, range(4))
    targets = rng.dirichlet(np.ones(4) * 0.3, 40).astype(np.float32)
    case("soft", x, None, targets=targets)
    case("soft with weights", x, None, c=3.0, targets=targets, weights=rng.uniform(0.1, 2, 40).astype(np.float32))
    save("logistic.safetensors", tensors, **meta)


def validation():
    tensors, meta = {}, {}
    candidates = [0.001, 0.01, 0.1, 1.0, 10.0]

    def case(name, x, y, folds):
        fold, right = np.zeros(len(y), np.int64), np.zeros(len(candidates))
        splits = StratifiedKFold(folds).split(x, y)
        for i, (train, test) in enumerate(splits):
            fold[test] = i
            for j, c in enumerate(candidates):
                m = fit(x[train].astype(np.float64), y[train], c, tol=1e-7)[0]
                right[j] += (m.predict(x[test].astype(np.float64)) == y[test]).sum()
        tensors.update({f"{name}/features": x, f"{name}/labels": y, f"{name}/fold": fold,
                        f"{name}/accuracy": (right / len(y)).astype(np.float32)})
        meta[f"{name}/folds"] = str(folds)

    case("five folds", *samples(90, 12, range(5), 0.5), 5)
    case("three folds", *samples(50, 4, range(2), 0.5), 3)
    x, y = samples(40, 6, range(3), 0.5)
    y[y == 2] = 1
    y[7] = 2  # the only sample of its class
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        case("one sample", x, y, 4)
    save("validation.safetensors", tensors, candidates=repr(candidates), **meta)


def neighbors():
    x, y = samples(150, 10, range(6), 0.4)
    q, _ = samples(40, 10, range(6), 0.4)
    x, q = x + np.float32(5), q + np.float32(5)
    tensors = {"features": x, "labels": y, "queries": q}
    for metric in ("cosine", "euclidean"):
        def model(**o):
            return KNeighborsClassifier(7, metric=metric, algorithm="brute", **o).fit(x.astype(np.float64), y)
        distances, index = model().kneighbors(q.astype(np.float64))
        tensors[f"{metric}/index"] = index
        tensors[f"{metric}/similarity"] = ((1 - distances) if metric == "cosine" else -distances).astype(np.float32)
        tensors[f"{metric}/majority"] = model().predict(q.astype(np.float64))
        tensors[f"{metric}/weighted"] = model(weights=lambda d: np.exp(-d / 0.07)).predict(q.astype(np.float64))
    save("neighbors.safetensors", tensors)


def fashion():
    def read(name, head):
        with gzip.open(os.path.join("examples", "mae", "fashion", "data", name)) as f:
            return np.frombuffer(f.read(), np.uint8)[head:]

    def pixels(name):
        return (read(name, 16).reshape(-1, 784).astype(np.float32) / np.float32(255)).astype(np.float64)

    x, y, test = pixels("train-images-idx3-ubyte.gz"), read("train-labels-idx1-ubyte.gz", 8), pixels("t10k-images-idx3-ubyte.gz")
    tensors = {}
    for k in (10, 100):
        first = np.sort(np.concatenate([np.flatnonzero(y == c)[:k] for c in range(10)]))
        m = LogisticRegression(C=0.1, tol=1e-6, max_iter=100000).fit(x[first], y[first])
        tensors[f"logistic/{k}"] = m.predict(test).astype(np.uint8)
        knn = KNeighborsClassifier(5, metric="cosine", algorithm="brute").fit(x[first], y[first])
        tensors[f"neighbors/{k}"] = knn.predict(test).astype(np.uint8)
    save("fashion.safetensors", tensors)


os.makedirs(os.path.join("probe", "testdata"), exist_ok=True)
logistic()
validation()
neighbors()
fashion()
