"""Goldens of distillation: train/testdata/distill.safetensors.

Inputs are the student's logits, base, those of its distillation head, logits, the teacher's, and labels. The results are
losses: timm's of timm/task/token_distillation.py with a task_loss_weight, and those of losses.py in facebookresearch/deit, which
divides the soft term by all values.
"""

import torch
import torch.nn.functional as F
from opcases import Cases, golden

c = Cases(golden("train", "distill.safetensors"), seed=31)


def soft(logits, teacher, t, reduction="batchmean"):
    loss = F.kl_div(F.log_softmax(logits / t, dim=1), F.log_softmax(teacher / t, dim=1), reduction=reduction, log_target=True)
    return loss * t * t / (logits.numel() if reduction == "sum" else 1)


def hard(logits, teacher, t):
    return F.cross_entropy(logits, teacher.argmax(dim=1))


base, logits, teacher, labels = c.normal(5, 7, scale=2), c.normal(5, 7, scale=2), c.normal(5, 7, scale=3), c.ints(0, 7, 5)
for name, taught, alpha, t in [("soft", soft, 0.5, 1.0), ("soft3", soft, 0.1, 3.0), ("deit", lambda x, y, t: soft(x, y, t, "sum"), 0.5, 2.0),
                               ("hard", hard, 0.5, 1.0), ("hard0.9", hard, 0.9, 1.0), ("none", soft, 0.0, 1.0)]:
    c.add(name, lambda base, logits, labels: (1 - alpha) * F.cross_entropy(base, labels) + alpha * taught(logits, teacher, t),
          base=base, logits=logits, ints={"labels": labels})
    c.add(name + ".teacher", lambda teacher: teacher * 1.0, teacher=teacher)
c.write()
