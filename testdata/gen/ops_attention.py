"""Goldens of autograd's attention: autograd/testdata/ops_attention.safetensors."""

import torch
from opcases import Cases, golden

c = Cases(golden("autograd", "ops_attention.safetensors"), seed=4)


def add(name, heads, f, mask=None, **inputs):
    """A case that also carries its number of heads and, if there is one, its mask."""
    ints = {"heads": torch.tensor([heads])}
    if mask is not None:
        ints["mask"] = mask
    c.add(name, lambda heads, mask=None, **xs: f(**xs), ints=ints, **inputs)


def heads(x, h):
    b, t, d = x.shape
    return x.reshape(b, t, h, d // h).transpose(1, 2)


def attend(q, k, v, h, bias=None, scale=None, causal=False, mask=None, wanted=False):
    """Attention by its definition, in float64 where a row has no key: zeros."""
    q, k, v = heads(q, h), heads(k, h), heads(v, h)
    scale = scale or q.shape[-1] ** -0.5
    s = q @ k.transpose(-1, -2) * scale
    if bias is not None:
        s = s + bias
    see = torch.ones(s.shape, dtype=torch.bool)
    if causal:
        see = see & torch.ones(s.shape[-2:], dtype=torch.bool).tril(s.shape[-1] - s.shape[-2])
    if mask is not None:
        see = see & mask[:, None, None, :].bool()
    s = s.masked_fill(~see, -1e30)
    p = torch.softmax(s, -1) * see
    o = (p @ v).transpose(1, 2).reshape(q.shape[0], q.shape[2], h * q.shape[3])
    return (o, p) if wanted else o


def packed(x, h, **kw):
    q, k, v = x.chunk(3, -1)
    return attend(q, k, v, h, **kw)


# One packed projection; d is the width of a head.
for tag, b, t, h, d in [("odd", 2, 7, 3, 5), ("one", 1, 1, 1, 1), ("wide", 1, 17, 2, 17), ("empty", 0, 3, 2, 4), ("norows", 2, 0, 2, 4)]:
    x = c.normal(b, t, 3 * h * d)
    add(f"self/{tag}", h, lambda x: packed(x, h), x=x)
    add(f"causal/{tag}", h, lambda x: packed(x, h, causal=True), x=x)
    add(f"bias/{tag}", h, lambda x, bias: packed(x, h, bias=bias), x=x, bias=c.normal(1, h, t, t))
    add(f"batchbias/{tag}", h, lambda x, bias: packed(x, h, bias=bias, scale=0.3), x=x, bias=c.normal(b, 1, t, t))
    add(f"rowbias/{tag}", h, lambda x, bias: packed(x, h, bias=bias), x=x, bias=c.normal(b, 1, 1, t))

# A query longer or shorter than the keys; keys and values of one projection.
for tag, b, tq, tk, h, d in [("short", 2, 3, 9, 2, 8), ("long", 2, 9, 4, 2, 3), ("cache", 3, 1, 17, 1, 16), ("nokeys", 2, 3, 0, 2, 4)]:
    q, kv = c.normal(b, tq, h * d), c.normal(b, tk, 2 * h * d)
    add(f"cross/{tag}", h, lambda q, kv: attend(q, *kv.chunk(2, -1), h), q=q, kv=kv)
    add(f"crosscausal/{tag}", h, lambda q, kv: attend(q, *kv.chunk(2, -1), h, causal=True), q=q, kv=kv)

# Masks: at the end, at the start, with holes, and nothing left.
b, t, h, d = 4, 11, 2, 6
mask = torch.ones(b, t, dtype=torch.int64)
mask[0, 7:] = 0
mask[1, :3] = 0
mask[2, [1, 4, 5, 9]] = 0
mask[3, :] = 0
x, bias = c.normal(b, t, 3 * h * d), c.normal(1, h, t, t)
add("mask/plain", h, lambda x: packed(x, h, mask=mask), mask=mask, x=x)
add("maskcausal/plain", h, lambda x: packed(x, h, mask=mask, causal=True), mask=mask, x=x)
add("maskbias/plain", h, lambda x, bias: packed(x, h, mask=mask, bias=bias), mask=mask, x=x, bias=bias)

# More rows than a block of queries has, and several causal blocks.
add("blocks/causal", 1, lambda x: packed(x, 1, causal=True), x=c.normal(1, 140, 3 * 4))

# Separate queries, keys and values; keys that also are the values.
q, k, v = c.normal(2, 5, 12), c.normal(2, 6, 12), c.normal(2, 6, 12)
add("apart/three", 3, lambda q, k, v: attend(q, k, v, 3), q=q, k=k, v=v)
add("apart/keysarevalues", 3, lambda q, k: attend(q, k, k, 3), q=q, k=k)
# Columns that do not fill the rows.
add("gaps/some", 3, lambda x: attend(x[..., 2:14], x[..., 17:29], x[..., 29:41], 3), x=c.normal(2, 5, 43))
add("weights/some", h, lambda x: packed(x, h, mask=mask, causal=True, wanted=True), mask=mask, x=x)
c.write()
