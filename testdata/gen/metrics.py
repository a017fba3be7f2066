"""Writes metrics/testdata/sklearn.safetensors: accuracy, top-k accuracy and confusion by scikit-learn.

    python testdata/gen/metrics.py               # from the module's root

    <case>/logits [n, classes], labels [n]
    <case>/top     top-k accuracy for k of 1 to classes
    <case>/counts  [classes, classes]: confusion_matrix
    <case>/class   [3, classes]: recall, precision, F1
    <case>/mean    accuracy, balanced accuracy, macro F1

scikit-learn prefers the last of equal scores, and this library the first. The script therefore reverses the order of
the classes for the top-k accuracies. Seed 1; versions as in requirements.txt.
"""

import os
import warnings

import numpy as np
import sklearn
from safetensors.numpy import save_file
from sklearn import metrics

warnings.filterwarnings("ignore")  # of classes without samples or predictions
rng = np.random.default_rng(1)
tensors = {}


def case(name, n, classes, labels=None, ties=False, skew=0.0):
    logits = rng.standard_normal((n, classes)).astype(np.float32)
    logits += skew * np.arange(classes, dtype=np.float32)
    if ties:
        logits = np.round(logits)
    labels = rng.integers(0, classes, n) if labels is None else labels
    logits[np.arange(n), labels] += 1
    every = np.arange(classes)
    predicted = logits.argmax(1)

    def top(k):
        if classes == 2:  # top_k_accuracy_score takes one score a sample then
            return 1.0 if k == 2 else metrics.accuracy_score(labels, predicted)
        return metrics.top_k_accuracy_score(classes - 1 - labels, logits[:, ::-1], k=k, labels=every)

    recall, precision, f1 = (f(labels, predicted, labels=every, average=None, zero_division=0)
                             for f in (metrics.recall_score, metrics.precision_score, metrics.f1_score))
    tensors[f"{name}/logits"] = logits
    tensors[f"{name}/labels"] = labels.astype(np.int64)
    tensors[f"{name}/top"] = np.array([top(k) for k in range(1, classes + 1)], dtype=np.float32)
    tensors[f"{name}/counts"] = metrics.confusion_matrix(labels, predicted, labels=every).astype(np.int64)
    tensors[f"{name}/class"] = np.array([recall, precision, f1], dtype=np.float32)
    tensors[f"{name}/mean"] = np.array([
        metrics.accuracy_score(labels, predicted),
        metrics.balanced_accuracy_score(labels, predicted),
        metrics.f1_score(labels, predicted, average="macro"),
    ], dtype=np.float32)


case("random", 200, 7)
case("two", 50, 2)
case("ties", 100, 5, ties=True)
case("skewed", 80, 6, skew=1.0)  # the first classes are never predicted
case("absent", 60, 6, labels=rng.choice([1, 2, 4], 60))
case("neither", 30, 9, labels=rng.choice([7, 8], 30), skew=2.0)
case("single", 1, 3)
save_file(tensors, os.path.join("metrics", "testdata", "sklearn.safetensors"),
          metadata={"script": "metrics.py", "versions": f"scikit-learn {sklearn.__version__} numpy {np.__version__}", "seed": "1"})
