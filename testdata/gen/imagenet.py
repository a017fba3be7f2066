"""Makes the tables of examples/eval: the classes of ImageNet-1k, and published accuracies of Vision Transformers on it.

    python imagenet.py results-imagenet.csv ../../examples/eval

results-imagenet.csv is that of pytorch-image-models, folder results, at commit aa4b5850 (Apache-2.0). The classes are those of
the package timm. The accuracies of DeiT (arXiv 2012.12877) and DINOv2 (arXiv 2304.07193, linear evaluation) are of the READMEs of
facebookresearch/deit and facebookresearch/dinov2, and those of BEiT (arXiv 2106.08254) of the folder beit of microsoft/unilm.
Versions: requirements.txt.
"""

import csv
import os
import sys

import timm.data

deit = [
    ("tiny-patch16-224", 72.2, 91.1), ("small-patch16-224", 79.9, 95.0), ("base-patch16-224", 81.8, 95.6), ("base-patch16-384", 82.9, 96.2),
    ("tiny-distilled-patch16-224", 74.5, 91.9), ("small-distilled-patch16-224", 81.2, 95.4),
    ("base-distilled-patch16-224", 83.4, 96.5), ("base-distilled-patch16-384", 85.2, 97.2),
]
dinov2 = [("small", 81.1), ("base", 84.5), ("large", 86.3), ("giant", 86.5)]
registers = [("small", 80.9), ("base", 84.6), ("large", 86.7), ("giant", 87.1)]
beit = [("base-patch16-224", 85.2, 97.6), ("base-patch16-384", 86.8, 98.1), ("large-patch16-224", 87.4, 98.3), ("large-patch16-384", 88.4, 98.6),
        ("large-patch16-512", 88.60, 98.66)]

with open(sys.argv[1], newline="") as f:
    rows = [r for r in csv.DictReader(f) if r["model"].startswith(("vit_", "deit", "beit", "eva"))]
with open(os.path.join(sys.argv[2], "published.csv"), "w", newline="") as f:
    out = csv.writer(f, lineterminator="\n")
    out.writerow(["model", "top1", "top5", "size", "source"])
    for r in sorted(rows, key=lambda r: r["model"]):
        out.writerow([r["model"], r["top1"], r["top5"], r["img_size"], "timm"])
    for name, top1, top5 in deit:
        out.writerow([f"facebook/deit-{name}", top1, top5, name[-3:], "DeiT"])
    for name, top1 in dinov2:
        out.writerow([f"facebook/dinov2-{name}-imagenet1k-1-layer", top1, "", 224, "DINOv2"])
    for name, top1 in registers:
        out.writerow([f"facebook/dinov2-with-registers-{name}-imagenet1k-1-layer", top1, "", 224, "DINOv2"])
    for name, top1, top5 in beit:
        out.writerow([f"microsoft/beit-{name}", top1, top5, name[-3:], "BEiT"])
with open(os.path.join(sys.argv[2], "synsets.txt"), "w") as f:
    f.writelines(name + "\n" for name in timm.data.ImageNetInfo("imagenet-1k").label_names())
