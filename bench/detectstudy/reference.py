"""PyTorch's side of bench/detectstudy: trains a detector by a plan.

    python reference.py PLAN.json < BATCHES

The plan, written by torch.go, names a file of weights and the learning rate of each step. Batches come from standard input:
those for testing, and then one for each step. The detectors are in detectors.py. The script writes detections in the test
images in COCO's format of results, and prints {"losses", "notes", "versions"} as JSON.
"""

import json
import sys

import numpy as np
import safetensors.torch
import torch
import torchvision

import detectors

with open(sys.argv[1], encoding="utf-8") as f:
    plan = json.load(f)
torch.set_num_threads(plan["threads"])
torch.manual_seed(plan["seed"])
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
device = torch.device(plan["device"])


def values(kind, *shape):
    n = int(np.prod(shape)) * 4
    data = sys.stdin.buffer.read(n)
    if len(data) < n:
        sys.exit("the batches end early")
    return torch.from_numpy(np.frombuffer(data, dtype=kind).reshape(shape).copy()).to(device)


def receive():
    """Returns pixels, [n, 3, height, width], the size of each image in them, and its objects."""
    n, *shape = values("<i4", 4).tolist()
    head = values("<i4", n, 3).tolist()
    sizes, counts = [(h, w) for h, w, _ in head], [k for _, _, k in head]
    pixels, boxes, classes = values("<f4", n, *shape), values("<f4", sum(counts), 4), values("<i4", sum(counts)).long()
    return pixels, sizes, [{"boxes": b, "labels": c} for b, c in zip(boxes.split(counts), classes.split(counts))]


model = detectors.make(plan).to(device)
model.load_state_dict({k: v.to(device) for k, v in safetensors.torch.load_file(plan["weights"]).items()})
groups = [{"params": [p for p in model.parameters() if p.ndim >= 2], "weight_decay": plan["decay"]},
          {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0}]
optimizer = torch.optim.SGD(groups, lr=1.0, momentum=plan["sgd"]) if plan["sgd"] else torch.optim.AdamW(groups, lr=1.0)
tests = [receive()[:2] for _ in range(plan["tests"])]


@torch.inference_mode()
def detect(name):
    """Writes the detections in the test images to a file."""
    model.eval()
    found, image = [], 0
    for pixels, sizes in tests:
        for each in model.detect(pixels, sizes):
            for (x0, y0, x1, y1), label, score in zip(*(each[k].tolist() for k in ("boxes", "labels", "scores"))):
                found.append({"image_id": image, "category_id": label, "bbox": [x0, y0, x1 - x0, y1 - y0], "score": score})
            image += 1
    with open(name, "w", encoding="utf-8") as f:
        json.dump(found, f)


losses = []
for step, rate in enumerate(plan["rates"], 1):
    model.train()
    loss = model.loss(*receive())
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), plan["clip"])
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    losses.append(loss.detach())
    if step % 100 == 0:
        print(f"detectstudy: {plan['model']}, PyTorch, seed {plan['seed']}: step {step} of {len(plan['rates'])}, loss {loss.item():.3f}", file=sys.stderr)
    if str(step) in plan["measure"]:
        detect(plan["measure"][str(step)])
where = torch.cuda.get_device_name() if device.type == "cuda" else "the processor"
versions = f"PyTorch {torch.__version__} and torchvision {torchvision.__version__} on {where}"
print(json.dumps({"losses": torch.stack(losses).tolist(), "notes": getattr(model, "notes", []), "versions": versions}))
