"""Goldens of autograd's attention over packed sequences: autograd/testdata/ops_attention_packed.safetensors.

Each sequence goes through PyTorch's scaled_dot_product_attention alone. The results lie one after the other.
"""

import torch
import torch.nn.functional as F
from opcases import Cases, golden

c = Cases(golden("autograd", "ops_attention_packed.safetensors"), seed=41)


def heads(x, h):
    return x.reshape(len(x), h, x.shape[1] // h).transpose(0, 1)


def attend(q, k, v, h, lengths, keys, causal):
    out = []
    for q, k, v in zip(q.split(lengths), k.split(keys), v.split(keys)):
        see = torch.ones(len(q), len(k), dtype=torch.bool)
        if causal:  # the last query is at the place of the last key
            see = see.tril(len(k) - len(q))
        y = F.scaled_dot_product_attention(heads(q, h), heads(k, h), heads(v, h), attn_mask=see)
        out.append(y.transpose(0, 1).flatten(1))
    return torch.cat(out)


def add(name, h, lengths, keys, f, **inputs):
    ints = {"heads": [h], "queries": lengths, "keys": keys}
    ints = {k: torch.tensor(v, dtype=torch.int64) for k, v in ints.items()}
    c.add(name, lambda heads, queries, keys, **xs: f(**xs), ints=ints, **inputs)


# One packed projection; d is the width of a head.
for tag, n, h, d in [("few", [5, 1, 9], 2, 6), ("gaps", [0, 4, 0, 7], 3, 5), ("one", [3], 1, 4), ("blocks", [140, 2], 1, 4)]:
    x = c.normal(sum(n), 3 * h * d)
    for name, causal in [("self", False), ("causal", True)]:
        add(f"{name}/{tag}", h, n, n, lambda x: attend(*x.chunk(3, -1), h, n, n, causal), x=x)

# Keys and values from other sequences. A query without keys gets zeros.
for tag, n, m in [("more", [2, 3, 1], [4, 3, 6]), ("fewer", [5, 3], [2, 3]), ("nokeys", [2, 2], [3, 0]), ("noqueries", [0, 2], [3, 1])]:
    q, kv = c.normal(sum(n), 8), c.normal(sum(m), 16)
    for name, causal in [("cross", False), ("crosscausal", True)]:
        add(f"{name}/{tag}", 2, n, m, lambda q, kv: attend(q, *kv.chunk(2, -1), 2, n, m, causal), q=q, kv=kv)
c.write()
