"""Writes models/vit/testdata/checkpoints: the files that training programs leave, and the logits of their weights.

    python testdata/gen/vit_checkpoints.py    # from the module's root

model_best.pth.tar is as timm's train.py writes it, with the trained weights and their average; last.ckpt as Lightning
writes it; compiled.pth has the prefixes of DistributedDataParallel around torch.compile. want.json holds one image and
the logits. Those of model_best.pth.tar are what timm gives after load_checkpoint, with use_ema True and False. Seed 1;
versions as in requirements.txt.
"""

import argparse
import collections
import datetime
import json
import os

import timm
import torch
from timm.models import load_checkpoint

OUT = "models/vit/testdata/checkpoints"


def make():
    return timm.models.VisionTransformer(img_size=16, patch_size=8, embed_dim=64, depth=1, num_heads=1, mlp_ratio=1, num_classes=3).eval()


def weights():
    net = make()
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.2)
    return collections.OrderedDict((k, v.half()) for k, v in net.state_dict().items())


def logits(file, image, **options):
    net = make()
    load_checkpoint(net, file, weights_only=False, **options)
    return net(image).flatten().tolist()


def main():
    os.makedirs(OUT, exist_ok=True)
    torch.manual_seed(1)
    raw, ema = weights(), weights()
    best, last, compiled = (os.path.join(OUT, name) for name in ("model_best.pth.tar", "last.ckpt", "compiled.pth"))
    torch.save({"epoch": 3, "arch": "vit", "state_dict": raw, "state_dict_ema": ema, "version": 2, "metric": 81.5,
                "args": argparse.Namespace(model="vit", started=datetime.datetime(2024, 5, 6))}, best)
    torch.save({"epoch": 3, "global_step": 10, "pytorch-lightning_version": "2.4.0",
                "state_dict": collections.OrderedDict(("model." + k, v) for k, v in raw.items()),
                "loops": {"fit_loop": {"state_dict": {}}}, "callbacks": {"EarlyStopping": {"best_score": torch.tensor(0.5)}},
                "optimizer_states": [], "lr_schedulers": [], "hparams_name": "kwargs", "hyper_parameters": {"net": torch.nn.Identity(), "lr": 0.1}}, last)
    torch.save({"model": collections.OrderedDict(("module._orig_mod." + k, v) for k, v in raw.items())}, compiled)
    image = torch.randn(1, 3, 16, 16)
    with torch.no_grad():
        want = {"image": image.flatten().tolist(), "average": logits(best, image), "trained": logits(best, image, use_ema=False)}
        assert want["trained"] == logits(compiled, image)
    json.dump(want, open(os.path.join(OUT, "want.json"), "w"))


if __name__ == "__main__":
    main()
