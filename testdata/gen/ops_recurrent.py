"""Goldens of autograd's LSTM and GRU over sequences, and of its GRU cell: autograd/testdata/ops_recurrent.safetensors."""

import torch
from opcases import Cases, golden
from torch import _VF
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

c = Cases(golden("autograd", "ops_recurrent.safetensors"), seed=31)


def run(kind, x, states, weights, lengths, reverse):
    """One layer of one direction. The reverse one is the second half of a bidirectional layer that shares its weights."""
    n, steps, _ = x.shape
    bias = len(weights) == 4
    if reverse:
        weights = weights + weights
        states = tuple(torch.cat([s, s]) for s in states)
    f, hx = (_VF.lstm, states) if kind == "lstm" else (_VF.gru, states[0])
    if lengths is None:
        y, *last = f(x, hx, weights, bias, 1, 0.0, False, reverse, True)
    else:
        p = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        pick = lambda s: s.index_select(1, p.sorted_indices)
        hx = tuple(map(pick, hx)) if kind == "lstm" else pick(hx)
        data, *last = f(p.data, p.batch_sizes, hx, weights, bias, 1, 0.0, False, reverse)
        y, _ = pad_packed_sequence(PackedSequence(data, p.batch_sizes, p.sorted_indices, p.unsorted_indices), batch_first=True, total_length=steps)
        last = [s.index_select(1, p.unsorted_indices) for s in last]
    if reverse:
        y, last = y[..., y.shape[-1] // 2 :], [s[1:] for s in last]
    return (y, *(s[0] for s in last))


def sequence(kind, reverse=False, initial=True):
    def f(x, wih, whh, bih=None, bhh=None, h=None, c=None, lengths=None):
        zeros = x.new_zeros(x.shape[0], whh.shape[1])
        states = (h, c) if kind == "lstm" else (h,)
        states = tuple((s if initial else zeros)[None] for s in states)
        weights = [wih, whh] + ([] if bih is None else [bih, bhh])
        return run(kind, x, states, weights, lengths, reverse)

    return f


for kind, gates in (("lstm", 4), ("gru", 3)):
    for tag, n, steps, i, s, lengths in [
        ("one", 1, 6, 5, 7, None),
        ("batch", 3, 4, 5, 7, None),
        ("single", 2, 1, 3, 4, None),
        ("ragged", 4, 5, 3, 6, [2, 5, 1, 4]),
        ("short", 1, 5, 3, 6, [3]),
        ("wide", 9, 3, 4, 33, [3, 1, 3, 2, 3, 3, 1, 3, 3]),
    ]:
        x = c.normal(n, steps, i)
        weights = dict(wih=c.normal(gates * s, i, scale=0.5), whh=c.normal(gates * s, s, scale=1 / s**0.5))
        biases = dict(bih=c.normal(gates * s), bhh=c.normal(gates * s))
        states = dict(h=c.normal(n, s), c=c.normal(n, s)) if kind == "lstm" else dict(h=c.normal(n, s))
        ints = None if lengths is None else dict(lengths=torch.tensor(lengths))
        for direction in ("forward", "reverse"):
            c.add(f"{kind}/{direction}/{tag}", sequence(kind, direction == "reverse"), ints, x=x, **weights, **biases, **states)
        if n != 9:
            c.add(f"{kind}/plain/{tag}", sequence(kind, initial=False), ints, x=x, **weights)

for tag, n, i, s in [("odd", 3, 5, 7), ("one", 1, 1, 1), ("wide", 2, 9, 33), ("empty", 0, 4, 3)]:
    x, h = c.normal(n, i), c.normal(n, s)
    weights = dict(wih=c.normal(3 * s, i, scale=0.5), whh=c.normal(3 * s, s, scale=0.5))
    biases = dict(bih=c.normal(3 * s), bhh=c.normal(3 * s))
    c.add(f"grucell/bias/{tag}", lambda x, h, wih, whh, bih, bhh: torch.ops.aten.gru_cell(x, h, wih, whh, bih, bhh), x=x, h=h, **weights, **biases)
    c.add(f"grucell/plain/{tag}", lambda x, h, wih, whh: torch.ops.aten.gru_cell(x, h, wih, whh), x=x, h=h, **weights)
c.write()
