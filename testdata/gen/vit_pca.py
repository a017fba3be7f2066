"""Writes what scikit-learn's PCA makes of random features, for models/vit.

    python vit_pca.py     models/vit/testdata/pca.safetensors

NAME/features, [images, rows, columns, width], are sums of few patterns, with one of the images' inside. NAME/scores are the
three components of all patches, [3, patches]. NAME/whole, NAME/foreground and NAME/inverted are pictures, [images, rows, columns, 3]: of
all patches, of those above the mean of the first component, and of those below. Names: tall has more patches than
values in a token, wide has fewer. Seeds: 1 and 2.
"""

import numpy as np
import sklearn
from safetensors.numpy import save_file
from sklearn.decomposition import PCA

from opcases import golden


def scale(scores):
    return np.rint(255 * (scores - scores.min(0)) / (scores.max(0) - scores.min(0)))


def picture(features, keep):
    colors = np.zeros((len(features), 3))
    colors[keep] = scale(PCA(3, svd_solver="full").fit_transform(features[keep]))
    return colors


def make(seed, images, rows, columns, width):
    rng = np.random.RandomState(seed)
    inside = np.zeros((images, rows, columns), bool)
    inside[:, 1:-1, 1:-1] = True
    inside = inside.reshape(-1)
    x = np.outer(inside, rng.randn(width)) * 3 + rng.randn(len(inside), 5) @ np.diag([1.5, 1, 0.7, 0.5, 0.3]) @ rng.randn(5, width)
    x = (x + 0.1 * rng.randn(*x.shape) + 2).astype(np.float32)
    features = x.astype(np.float64)
    scores = PCA(3, svd_solver="full").fit_transform(features)
    first = scores[:, 0] if scores[~inside, 0].mean() < scores[inside, 0].mean() else -scores[:, 0]
    shape = (images, rows, columns, -1)
    return {"features": x.reshape(shape), "scores": scores.T, "whole": picture(features, first > -np.inf).reshape(shape),
            "foreground": picture(features, first > 0).reshape(shape), "inverted": picture(features, first < 0).reshape(shape)}


tensors = {}
for seed, (name, size) in enumerate({"tall": (3, 5, 6, 16), "wide": (2, 4, 5, 48)}.items(), 1):
    tensors |= {f"{name}/{k}": np.ascontiguousarray(v, np.float32) for k, v in make(seed, *size).items()}
save_file(tensors, golden("models/vit", "pca.safetensors"), metadata={
    "script": "vit_pca.py", "versions": f"scikit-learn {sklearn.__version__}, numpy {np.__version__}", "seed": "1, 2"})
