"""Goldens of the contrastive losses: train/contrast/testdata/losses.safetensors.

    python testdata/gen/contrast.py              # from the module's root

ClipLoss and SigLipLoss are open_clip's, on rows that torch normalizes; MultipleNegativesRankingLoss is that of
sentence-transformers. Embeddings are not normalized. Versions as in requirements.txt.
"""

import torch
import torch.nn.functional as F
from open_clip.loss import ClipLoss, SigLipLoss
from opcases import Cases, golden
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

c = Cases(golden("train/contrast", "losses.safetensors"), seed=13)
ranking = MultipleNegativesRankingLoss(model=None)


def unit(x):
    return F.normalize(x, dim=-1)


for tag, n, width in [("six", 6, 7), ("few", 3, 5), ("odd", 17, 9), ("wide", 4, 33)]:
    x = c.normal(n, width, scale=2)
    y = 0.2 * x + 2 * c.normal(n, width)  # hard enough for gradients above rounding
    for scale, bias in [(1.0, -2.0), (2.3026, -10.0), (4.6, -30.0)]:
        c.add(f"softmax/{tag}/{scale}", lambda x, y, s: ClipLoss()(unit(x), unit(y), s.exp()), x=x, y=y, s=torch.tensor(scale))
        c.add(f"sigmoid/{tag}/{scale}", lambda x, y, s, b: SigLipLoss()(unit(x), unit(y), s.exp(), b),
              x=x, y=y, s=torch.tensor(scale), b=torch.tensor(bias))
    for negatives in range(3):
        more = {f"n{i}": c.normal(n, width) for i in range(negatives)}
        c.add(f"ranking/{tag}/{negatives}", lambda x, y, **more: ranking.compute_loss_from_embeddings([x, y, *more.values()], None),
              x=x, y=y, **more)
c.write()
