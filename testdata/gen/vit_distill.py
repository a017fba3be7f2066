"""Trains a small DeiT of timm for one step on the answers of a teacher, with timm's own TokenDistillationTask.

    python vit_distill.py OUT     OUT/student and OUT/teacher, folders of timm's, and OUT/golden.safetensors

The golden holds pixels and labels, the losses soft and hard, and the gradients of the student's parameters as KIND.grad/NAME.
The temperature is 3, and the weight of the labels 0.4. The seed is 7.
"""

import os
import sys

import timm
import torch
from safetensors.torch import save_file
from timm.models._hub import save_for_hf
from timm.task.token_distillation import TokenDistillationTask

torch.set_num_threads(1)
torch.manual_seed(7)

SMALL = dict(num_classes=3, embed_dim=24, num_heads=2, depth=2, patch_size=4, img_size=12)


def make(name):
    model = timm.create_model(name, pretrained_cfg_overlay=dict(input_size=(3, 12, 12)), **SMALL).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p), alpha=0.2 if p.ndim > 1 else 0.1)
    return model


student, teacher = make("deit_tiny_distilled_patch16_224"), make("deit_tiny_patch16_224")
for name, model in {"student": student, "teacher": teacher}.items():
    os.makedirs(os.path.join(sys.argv[1], name))
    save_for_hf(model, os.path.join(sys.argv[1], name), safe_serialization=True, model_args=SMALL)
x, labels = torch.randn(4, 3, 12, 12), torch.tensor([0, 2, 1, 2])
tensors = {"pixels": x, "labels": labels}
for kind in ("soft", "hard"):
    task = TokenDistillationTask(student, teacher, torch.nn.CrossEntropyLoss(), distill_type=kind, task_loss_weight=0.4, temperature=3.0, verbose=False)
    student.zero_grad()
    student.train()  # timm gives the logits of both heads while training alone; no rate of dropout is above 0
    loss = task(x, labels)["loss"]
    loss.backward()
    tensors |= {kind: loss.detach()} | {f"{kind}.grad/{k}": p.grad.clone() for k, p in student.named_parameters()}
save_file(tensors, os.path.join(sys.argv[1], "golden.safetensors"), metadata={
    "script": "vit_distill.py", "versions": f"torch {torch.__version__}, timm {timm.__version__}", "seed": "7"})
