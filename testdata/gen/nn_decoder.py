"""Writes nn/testdata/decoder.safetensors: blocks of transformer decoders of PyTorch and transformers.

    python testdata/gen/nn_decoder.py                  # from the module's root

    torch/post, torch/pre   torch.nn.TransformerDecoderLayer, causal, with masks of keys of both attentions
    detr                    DetrDecoderLayer, with positions of queries and of the memory, and a mask of the memory
    bert                    BertLayer with cross-attention, causal, with a mask of the memory

Each case holds parameters and their gradients under the paths of nn.DecoderBlock, inputs with their gradients, the result, and
its upstream gradient.

Seed 1; versions as in requirements.txt.
"""

import os

import torch
import transformers
from safetensors.torch import save_file
from transformers.models.bert.modeling_bert import BertConfig, BertLayer
from transformers.models.detr.modeling_detr import DetrConfig, DetrDecoderLayer

torch.set_num_threads(1)
torch.manual_seed(1)
tensors = {}
N, QUERIES, KEYS, WIDTH, HEADS, HIDDEN = 2, 5, 7, 12, 3, 20
seen = torch.ones(N, KEYS, dtype=torch.bool)
seen[0, 4:] = False
known = torch.ones(N, QUERIES, dtype=torch.bool)
known[1, 1] = False
causal = torch.full((QUERIES, QUERIES), float("-inf")).triu(1)


def hidden(mask):
    """The mask of keys, to be added to the scores."""
    return torch.zeros(mask.shape).masked_fill(~mask, float("-inf"))[:, None, None]


def case(name, layer, run, paths, inputs):
    for p in layer.parameters():
        torch.nn.init.normal_(p, std=0.4)
    layer.train()
    inputs = {k: torch.randn(s, requires_grad=True) for k, s in inputs.items()}
    y = run(layer, **inputs)
    seed = torch.randn(y.shape)
    y.backward(seed)
    state = dict(layer.named_parameters())
    for path, theirs in paths.items():
        for kind in ("weight", "bias"):
            # torch joins three projections in one parameter, whose name ends in _weight or _bias
            parts = [state.pop(n + (kind if n.endswith("_") else "." + kind)) for n in theirs.split()]
            values, grads = torch.cat([p.detach() for p in parts]), torch.cat([p.grad for p in parts])
            ours = path.split()
            for at, value, grad in zip(ours, values.chunk(len(ours)), grads.chunk(len(ours))):
                tensors[f"{name}/param/{at}.{kind.capitalize()}"] = value.contiguous()
                tensors[f"{name}/grad/{at}.{kind.capitalize()}"] = grad.contiguous()
    assert not state, state.keys()
    for k, v in inputs.items():
        tensors[f"{name}/in/{k}"], tensors[f"{name}/dx/{k}"] = v.detach(), v.grad
    tensors[f"{name}/out"], tensors[f"{name}/seed"] = y.detach().contiguous(), seed


sizes = {"x": (N, QUERIES, WIDTH), "memory": (N, KEYS, WIDTH)}
joined = {
    "Norm1": "norm1", "Self.QKV": "self_attn.in_proj_", "Self.Proj": "self_attn.out_proj",
    "Norm2": "norm2", "Cross.Query Cross.Key Cross.Value": "multihead_attn.in_proj_", "Cross.Proj": "multihead_attn.out_proj",
    "Norm3": "norm3", "MLP.FC1": "linear1", "MLP.FC2": "linear2",
}
for name, first in (("torch/post", False), ("torch/pre", True)):
    case(
        name, torch.nn.TransformerDecoderLayer(WIDTH, HEADS, HIDDEN, dropout=0, batch_first=True, norm_first=first, activation="gelu"),
        lambda l, x, memory: l(x, memory, tgt_mask=causal, tgt_key_padding_mask=hidden(known)[:, 0, 0], memory_key_padding_mask=hidden(seen)[:, 0, 0]),
        joined, sizes,
    )
config = DetrConfig(d_model=WIDTH, decoder_attention_heads=HEADS, decoder_ffn_dim=HIDDEN, dropout=0.0, attn_implementation="eager")
split = {
    f"{path}.{part}": f"{theirs}.{part[0].lower()}_proj"
    for path, theirs in (("Self", "self_attn"), ("Cross", "encoder_attn")) for part in ("Query", "Key", "Value")
}
case(
    "detr", DetrDecoderLayer(config),
    lambda l, x, memory, positions, memory_positions: l(x, None, memory_positions, positions, memory, hidden(seen)),
    split | {
        "Norm1": "self_attn_layer_norm", "Self.Proj": "self_attn.o_proj", "Norm2": "encoder_attn_layer_norm",
        "Cross.Proj": "encoder_attn.o_proj", "Norm3": "final_layer_norm", "MLP.FC1": "mlp.fc1", "MLP.FC2": "mlp.fc2",
    },
    sizes | {"positions": (1, QUERIES, WIDTH), "memory_positions": (N, KEYS, WIDTH)},
)
config = BertConfig(
    hidden_size=WIDTH, num_attention_heads=HEADS, intermediate_size=HIDDEN, is_decoder=True, add_cross_attention=True,
    hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, attn_implementation="eager",
)
case(
    "bert", BertLayer(config), lambda l, x, memory: l(x, causal[None, None], memory, hidden(seen)),
    {
        "Self.QKV": " ".join(f"attention.self.{p}" for p in ("query", "key", "value")), "Self.Proj": "attention.output.dense",
        "Norm1": "attention.output.LayerNorm",
        "Cross.Query": "crossattention.self.query", "Cross.Key": "crossattention.self.key", "Cross.Value": "crossattention.self.value",
        "Cross.Proj": "crossattention.output.dense", "Norm2": "crossattention.output.LayerNorm",
        "MLP.FC1": "intermediate.dense", "MLP.FC2": "output.dense", "Norm3": "output.LayerNorm",
    },
    sizes,
)

os.makedirs("nn/testdata", exist_ok=True)
save_file(tensors, "nn/testdata/decoder.safetensors", metadata={
    "script": "nn_decoder.py",
    "versions": f"torch {torch.__version__.split('+')[0]}, transformers {transformers.__version__}",
    "seed": "1",
})
