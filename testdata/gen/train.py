"""Writes train/testdata: trajectories of PyTorch's optimizers, schedules, clipping and timm's averages.

    python testdata/gen/train.py                 # from the module's root

Three small parameters take twenty steps along given gradients with every optimizer; LARS, which PyTorch
lacks, is stated here from its formula. Seed 1; versions as in requirements.txt.
"""

import json
import math
import os

import timm
import timm.scheduler
import torch
from safetensors.torch import save_file
from timm.utils import ModelEmaV2, ModelEmaV3

OUT = "train/testdata"
META = {
    "script": "train.py",
    "versions": f"torch {torch.__version__.split('+')[0]}, timm {timm.__version__}",
    "seed": "1",
}
STEPS = 20
SHAPES = {"w": (7, 5), "b": (5,), "t": (3, 2, 2)}


class LARS(torch.optim.Optimizer):
    def __init__(self, params, lr, momentum, weight_decay, trust):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay, trust=trust))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                g = p.grad
                if p.ndim > 1:
                    g = g + group["weight_decay"] * p
                    pn, gn = p.norm(), g.norm()
                    if pn > 0 and gn > 0:
                        g = g * (group["trust"] * pn / gn)
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                m.mul_(group["momentum"]).add_(g)
                p.add_(m, alpha=-group["lr"])


def groups(params, decay):
    """One group a parameter: the vector has no decay, t learns at half the rate."""
    return [
        {"params": [p], "weight_decay": decay if p.ndim > 1 else 0.0, "scale": 0.5 if name == "t" else 1.0}
        for name, p in params.items()
    ]


# name, optimizer, weight decay, learning rate at step i, maximal norm, steps in which b has no gradient
CASES = [
    ("sgd", lambda g: torch.optim.SGD(g, lr=1), 0.02, lambda i: 0.1, 0, 0),
    ("momentum", lambda g: torch.optim.SGD(g, lr=1, momentum=0.9), 0.02, lambda i: 0.1 / (i + 1), 0, 0),
    ("nesterov", lambda g: torch.optim.SGD(g, lr=1, momentum=0.8, nesterov=True), 0.02, lambda i: 0.05, 0, 0),
    ("dampening", lambda g: torch.optim.SGD(g, lr=1, momentum=0.9, dampening=0.3), 0.02, lambda i: 0.05, 0, 0),
    ("dampening_late", lambda g: torch.optim.SGD(g, lr=1, momentum=0.9, dampening=0.3), 0.02, lambda i: 0.05, 0, 6),
    ("adam", lambda g: torch.optim.Adam(g, lr=1), 0.3, lambda i: 0.02, 0, 0),
    ("adamw", lambda g: torch.optim.AdamW(g, lr=1, betas=(0.9, 0.95)), 0.3, lambda i: 0.02 / (i + 1), 0, 0),
    ("adamw_zero", lambda g: torch.optim.AdamW(g, lr=1, betas=(0.0, 0.95)), 0.3, lambda i: 0.02, 0, 0),
    ("adamw_late", lambda g: torch.optim.AdamW(g, lr=1, eps=1e-6), 0.3, lambda i: 0.02, 0, 6),
    ("adamw_clip", lambda g: torch.optim.AdamW(g, lr=1, betas=(0.9, 0.98)), 0.1, lambda i: 0.02, 3.0, 0),
    ("lars", lambda g: LARS(g, lr=1, momentum=0.9, weight_decay=0, trust=0.02), 0.1, lambda i: 0.5, 0, 0),
]


def optimizers():
    gen = torch.Generator().manual_seed(1)
    start = {k: torch.randn(s, generator=gen) for k, s in SHAPES.items()}
    grads = {k: torch.randn((STEPS, *s), generator=gen) for k, s in SHAPES.items()}
    for k in grads:  # norms on both sides of the clipping threshold
        grads[k] *= torch.linspace(0.1, 1.5, STEPS).reshape(-1, *[1] * len(SHAPES[k]))
    grads["w"][:, 0, 0] = 0  # a second moment of exactly zero
    tensors = {f"start/{k}": v for k, v in start.items()} | {f"grad/{k}": v for k, v in grads.items()}
    for name, make, decay, lr, clip, late in CASES:
        params = {k: torch.nn.Parameter(v.clone()) for k, v in start.items()}
        opt = make(groups(params, decay))
        path, norms, rates = {k: [] for k in params}, [], []
        for i in range(STEPS):
            for k, p in params.items():
                p.grad = None if k == "b" and i < late else grads[k][i].clone()
            if clip:
                norms.append(torch.nn.utils.clip_grad_norm_(params.values(), clip))
            for group in opt.param_groups:
                group["lr"] = lr(i) * group["scale"]
            rates.append(lr(i))
            opt.step()
            for k, p in params.items():
                path[k].append(p.detach().clone())
        for k in path:
            tensors[f"{name}/{k}"] = torch.stack(path[k])
        tensors[f"{name}/lr"] = torch.tensor(rates, dtype=torch.float64)
        if norms:
            tensors[f"{name}/norms"] = torch.stack(norms)
    save_file(tensors, os.path.join(OUT, "optimizers.safetensors"), metadata=META)


def averages():
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    names = ["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"]
    values = {n: model.state_dict()[n] for n in names}
    tensors = {f"start/{n}": v.clone() for n, v in values.items()}
    averages = {
        "v2": (ModelEmaV2(model, decay=0.9), lambda e, m, i: e.update(m)),
        "v3": (ModelEmaV3(model, decay=0.9), lambda e, m, i: e.update(m)),
        "warmup": (ModelEmaV3(model, decay=0.8, use_warmup=True, warmup_gamma=2, warmup_power=0.75),
                   lambda e, m, i: e.update(m, step=i)),
        "after": (ModelEmaV3(model, decay=0.7, update_after_step=4), lambda e, m, i: e.update(m, step=i)),
    }
    model_path, path = {n: [] for n in names}, {(k, n): [] for k in averages for n in names}
    for i in range(1, STEPS + 1):
        for n, v in values.items():
            v += torch.randn_like(v) * 0.3
            model_path[n].append(v.clone())
        for k, (ema, update) in averages.items():
            update(ema, model, i)
            for n in names:
                path[k, n].append(ema.module.state_dict()[n].clone())
    for n in names:
        tensors[f"model/{n}"] = torch.stack(model_path[n])
        for k in averages:
            tensors[f"{k}/{n}"] = torch.stack(path[k, n])
    save_file(tensors, os.path.join(OUT, "averages.safetensors"), metadata=META)


def schedules():
    def torch_schedule(make, n):
        opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
        s = make(opt)
        rates = []
        for _ in range(n):
            rates.append(opt.param_groups[0]["lr"])
            opt.step()
            s.step()
        return rates

    lr = torch.optim.lr_scheduler

    def mae(x, peak=1.5e-3, low=1e-5, warmup=5, epochs=30):
        if x < warmup:
            return peak * x / warmup
        return low + (peak - low) * 0.5 * (1.0 + math.cos(math.pi * (x - warmup) / (epochs - warmup)))

    out = dict(META)
    out["cosine"] = torch_schedule(lambda o: lr.CosineAnnealingLR(o, T_max=25, eta_min=0.01), 26)
    out["warmup_cosine"] = torch_schedule(lambda o: lr.SequentialLR(o, [
        lr.LinearLR(o, start_factor=0.1, end_factor=1.0, total_iters=5),
        lr.CosineAnnealingLR(o, T_max=20, eta_min=0.0)], milestones=[5]), 26)
    out["step"] = torch_schedule(lambda o: lr.StepLR(o, step_size=7, gamma=0.3), 26)
    out["warmup_linear"] = torch_schedule(lambda o: lr.LambdaLR(
        o, lambda s: s / 4 if s < 4 else max(0.0, (20 - s) / 16)), 26)
    out["warmup_constant"] = torch_schedule(lambda o: lr.LambdaLR(o, lambda s: min(1.0, s / 6)), 26)
    out["mae"] = [mae(e + i / 4) for e in range(30) for i in range(4)]
    def timm_cosine(**options):
        opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
        s = timm.scheduler.CosineLRScheduler(opt, lr_min=0.01, warmup_t=5, warmup_lr_init=0.05, **options)
        return [s._get_lr(t)[0] for t in range(31)]

    out["timm_cosine"] = timm_cosine(t_initial=25)
    out["timm_cosine_prefix"] = timm_cosine(t_initial=20, warmup_prefix=True)
    with open(os.path.join(OUT, "schedules.json"), "w") as f:
        json.dump(out, f)
        f.write("\n")


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    torch.set_num_threads(1)
    optimizers()
    averages()
    schedules()
