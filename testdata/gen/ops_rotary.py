"""Goldens of rotary embeddings: autograd/testdata/ops_rotary.safetensors and nn/testdata/rotary.safetensors.

The operation is compared with transformers' (LLaMA, GPT-NeoX, GPT-J) and timm's (EVA-02). The tables that these compute
go into both files.
"""

import os

import timm
import torch
import transformers
from opcases import Cases, golden
from safetensors.numpy import save_file
from timm.layers import apply_rot_embed_cat, build_rotary_pos_embed
from transformers import LlamaConfig
from transformers.models.gptj.modeling_gptj import apply_rotary_pos_emb as gptj_rotate
from transformers.models.gptj.modeling_gptj import create_sinusoidal_positions
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb as llama_rotate

c = Cases(golden("autograd", "ops_rotary.safetensors"), seed=42)
tables = {}


def table(name, cos, sin):
    c._put(f"table/{name}/cos", cos)
    c._put(f"table/{name}/sin", sin)
    tables[f"{name}/cos"], tables[f"{name}/sin"] = (x.numpy().copy() for x in (cos, sin))


def llama(dim, theta, positions):
    config = LlamaConfig(hidden_size=dim, num_attention_heads=1, rope_parameters={"rope_type": "default", "rope_theta": theta})
    cos, sin = LlamaRotaryEmbedding(config)(torch.zeros(1), torch.tensor([positions]))
    return cos[0], sin[0]


def heads(x, h):
    return x.reshape(*x.shape[:-1], h, -1).transpose(1, 2)


def rows(x):
    return x.transpose(1, 2).flatten(2)


def half(x, h, cos, sin):
    return rows(llama_rotate(heads(x, h), heads(x, h), cos, sin)[0])


def qkv(x, f):
    """Turns queries and keys of one projection."""
    q, k, v = x.chunk(3, -1)
    return torch.cat([f(q), f(k), v], -1)


# LLaMA, all channels of a head. The later tokens of a cached sequence; positions of a batch padded on the left.
b, t, h, d = 2, 5, 3, 8
cos, sin = llama(d, 10000.0, range(12))
table("llama", cos, sin)
at = lambda p: (cos[p][None], sin[p][None])
c.add("llama/whole", lambda x: qkv(x, lambda q: half(q, h, *at(slice(0, t)))), x=c.normal(b, t, 3 * h * d))
c.add("llama/cached", lambda x: qkv(x, lambda q: half(q, h, *at(slice(7, 12)))), x=c.normal(b, t, 3 * h * d))
p = torch.tensor([[0, 0, 0, 1, 2], [0, 1, 2, 3, 4]])
c.add("llama/padded", lambda x, positions: qkv(x, lambda q: half(q, h, cos[positions], sin[positions])), ints={"positions": p}, x=c.normal(b, t, 3 * h * d))

# GPT-NeoX: the first 4 of 10 channels.
ncos, nsin = llama(4, 10000.0, range(6))
table("neox", ncos, nsin)


def partial(x, h):
    x = heads(x, h)
    turned, kept = x[..., :4], x[..., 4:]
    turned = llama_rotate(turned, turned, ncos[None], nsin[None])[0]
    return rows(torch.cat([turned, kept], -1))


c.add("neox/partial", lambda x: partial(x, 2), x=c.normal(b, 6, 2 * 10))

# GPT-J: neighbors are pairs; the first 6 of 8 channels. Its table holds sines, then cosines, one a pair.
jsin, jcos = create_sinusoidal_positions(7, 6).chunk(2, -1)
table("gptj", jcos.repeat_interleave(2, -1), jsin.repeat_interleave(2, -1))


def gptj(x, h):
    x = x.reshape(*x.shape[:-1], h, -1)
    turned = gptj_rotate(x[..., :6], jsin[None], jcos[None])
    return torch.cat([turned, x[..., 6:]], -1).flatten(2)


c.add("gptj/partial", lambda x: gptj(x, 3), x=c.normal(b, 7, 3 * 8))

# EVA-02: a grid of 3×4 patches, positions scaled to a grid of 2×2; a class token that does not turn.
for name, kw in [("eva", {}), ("evaref", {"ref_feat_shape": [2, 2], "grid_offset": 0.5}), ("evahalf", {"rotate_half": True, "temperature": 100.0})]:
    esin, ecos = build_rotary_pos_embed([3, 4], dim=8, in_pixels=False, **kw)
    one, zero = torch.ones(1, 8), torch.zeros(1, 8)
    table(name, torch.cat([one, ecos]), torch.cat([zero, esin]))

    def eva(x, h, half="rotate_half" in kw):
        x = heads(x, h)
        x = torch.cat([x[:, :, :1], apply_rot_embed_cat(x[:, :, 1:], torch.cat([esin, ecos], -1), half=half)], 2)
        return rows(x)

    c.add(f"{name}/grid", lambda x: qkv(x, lambda q: eva(q, 2)), x=c.normal(1, 13, 3 * 2 * 8))

c.write()

# Far positions, where float32 angles are coarse.
for name, dim, theta in [("far", 64, 10000.0), ("theta", 128, 500000.0)]:
    cos, sin = llama(dim, theta, [0, 1, 511, 2047, 8191])
    tables[f"{name}/cos"], tables[f"{name}/sin"] = cos.numpy(), sin.numpy()
esin, ecos = build_rotary_pos_embed([9, 7], dim=64, in_pixels=False, ref_feat_shape=[16, 16])
tables["grid/cos"], tables["grid/sin"] = ecos.numpy(), esin.numpy()
path = golden("nn", "rotary.safetensors")

meta = {"script": os.path.basename(__file__), "versions": f"torch {torch.__version__}, timm {timm.__version__}, transformers {transformers.__version__}", "seed": "none"}
save_file({k: v.copy() for k, v in tables.items()}, path, metadata=meta)
print(path, os.path.getsize(path), "bytes")
