"""Goldens of autograd's multi-scale deformable attention: autograd/testdata/ops_deformable.safetensors.

The integers of a case are the number of points and 1 for the nearest value; levels has the height and width of each level.
"""

import torch
from transformers.models.rt_detr.modeling_rt_detr import MultiScaleDeformableAttention
from transformers.models.rt_detr_v2.modeling_rt_detr_v2 import multi_scale_deformable_attention_v2
from opcases import Cases, golden

c = Cases(golden("autograd", "ops_deformable.safetensors"), seed=74)


def case(name, n, queries, heads, dim, levels, points, near=False, low=0.0, high=1.0):
    places, every = sum(h * w for h, w in levels), len(levels) * points
    # Away from the centers of places, where differences have kinks, and with near away from the halves between them.
    locations = torch.empty(n, queries, heads, every, 2)
    for level, (h, w) in enumerate(levels):
        for axis, size in enumerate((w, h)):
            part = locations[..., level * points:(level + 1) * points, axis]
            place = torch.floor(c.uniform(low * size, high * size, *part.shape))
            part.copy_((place + 0.5 * (0 if near else 1) + c.uniform(0.1, 0.9, *part.shape) - (0.5 if near else 0)) / size)
    weights = torch.softmax(c.normal(n, queries, heads, every), -1)

    def f(values, locations, weights, o, levels):
        shapes = [tuple(l) for l in levels.tolist()]
        values = values.view(n, places, heads, dim)
        if near:
            return multi_scale_deformable_attention_v2(values, shapes, locations, weights, [points] * len(shapes), "discrete")
        locations = locations.view(n, queries, heads, len(shapes), points, 2)
        weights = weights.view(n, queries, heads, len(shapes), points)
        return MultiScaleDeformableAttention()(values, None, shapes, None, locations, weights, 64)

    c.add(name, f, ints={"o": torch.tensor([points, int(near)]), "levels": torch.tensor(levels)},
          values=c.normal(n, places, heads * dim), locations=locations, weights=weights)


case("levels", 2, 3, 2, 3, [(4, 5), (2, 3), (1, 1)], 4)
case("one", 1, 2, 1, 4, [(3, 4)], 1)
case("outside", 2, 3, 2, 2, [(3, 2), (2, 2)], 3, low=-1.0, high=2.0)
case("near", 2, 3, 2, 3, [(4, 5), (2, 3), (1, 1)], 4, near=True)
case("nearout", 1, 3, 2, 2, [(3, 2), (2, 2)], 3, near=True, low=-1.0, high=2.0)
case("none", 0, 3, 2, 2, [(2, 2)], 2)
c.write()
