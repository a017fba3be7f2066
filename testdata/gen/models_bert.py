"""Writes small random models of BERT and its variants as transformers saves them, with outputs and gradients.

    python models_bert.py OUT [TYPE…]  writes OUT/TYPE-TASK for all model types, or some, and all tasks
    python models_bert.py -golden      writes those in the repository, in models/bert/testdata, and one of them in PyTorch's format, bin

golden.safetensors in a folder holds the sequences of a batch, packed without padding (ids, types and starts), the outputs
(out/0 and so on), also packed, and the gradient (grad/NAME) that flows back when each output has the gradient seed/0 and so
on. "hidden" are the hidden states after each layer. transformers itself gets the batch padded, with an attention mask.

Versions: requirements.txt. The seed of a model is its number.
"""

import os
import shutil
import sys

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file
from safetensors.torch import load_file

from opcases import golden

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

small = dict(vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
             max_position_embeddings=20, attn_implementation="eager")
modern = small | dict(pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2)
types = {
    "bert": ("Bert", small | dict(type_vocab_size=3, hidden_act="gelu_new")),
    "roberta": ("Roberta", small | dict(type_vocab_size=1, layer_norm_eps=1e-5)),
    "xlm-roberta": ("XLMRoberta", small | dict(type_vocab_size=1)),
    "camembert": ("Camembert", small | dict(type_vocab_size=1)),
    "distilbert": ("DistilBert", dict(vocab_size=40, dim=16, n_layers=2, n_heads=4, hidden_dim=24, max_position_embeddings=20,
                                      activation="relu", attn_implementation="eager")),
    "albert": ("Albert", small | dict(embedding_size=8, num_hidden_layers=4, num_hidden_groups=2)),
    "electra": ("Electra", small | dict(embedding_size=8)),
    "deberta-v2": ("DebertaV2", small | dict(type_vocab_size=0, relative_attention=True, position_buckets=4, pos_att_type=["p2c", "c2p"],
                                             share_att_key=True, norm_rel_ebd="layer_norm", position_biased_input=False)),
    "deberta-v2-xl": ("DebertaV2", small | dict(type_vocab_size=2, relative_attention=True, max_relative_positions=6, pos_att_type="c2p|p2c",
                                                conv_kernel_size=3, conv_act="gelu", conv_groups=2, embedding_size=8, pooler_hidden_act="relu")),
    "deberta-v2-c2p": ("DebertaV2", small | dict(type_vocab_size=0, relative_attention=True, position_buckets=6, max_relative_positions=8,
                                                 pos_att_type=["c2p"])),
    "deberta-v2-plain": ("DebertaV2", small | dict(type_vocab_size=0, pos_att_type=["p2c"])),
    "modernbert": ("ModernBert", modern | dict(num_hidden_layers=3, local_attention=4)),
    "modernbert-biased": ("ModernBert", modern | dict(num_hidden_layers=2, local_attention=7, layer_types=["sliding_attention", "full_attention"],
                                                      attention_bias=True, mlp_bias=True, norm_bias=True, classifier_bias=True, decoder_bias=False,
                                                      classifier_pooling="mean", classifier_activation="relu", hidden_activation="silu")),
    "mpnet": ("MPNet", small | dict(relative_attention_num_buckets=33, layer_norm_eps=1e-5)),
    "deberta-v2-new": ("DebertaV2", small | dict(type_vocab_size=0, legacy=False, tie_word_embeddings=False)),
    "bert-untied": ("Bert", small | dict(tie_word_embeddings=False)),
    "roberta-untied": ("Roberta", small | dict(type_vocab_size=1, tie_word_embeddings=False)),
}
tasks = ["Model", "ForMaskedLM", "ForPreTraining", "ForNextSentencePrediction", "ForSequenceClassification",
         "ForTokenClassification", "ForQuestionAnswering", "ForMultipleChoice"]
only = {"deberta-v2-new": ["ForMaskedLM"], "bert-untied": ["ForMaskedLM", "ForPreTraining"], "roberta-untied": ["ForMaskedLM"]}  # the heads are what is new
kept = ["bert-ForPreTraining", "roberta-ForSequenceClassification", "albert-ForMaskedLM", "distilbert-ForTokenClassification"]
lengths = [5, 9, 1, 7]


def array(x):
    return np.ascontiguousarray(x.detach().numpy())


def randomize(model):
    """Gives every parameter a random value. New models have zero biases, which would hide mistakes."""
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p + torch.randn_like(p) * (0.2 if p.ndim > 1 else 0.1))
    return model.eval()


def write(folder, name, seed):
    model_type, task = name.rsplit("-", 1)
    prefix, config = types[model_type]
    torch.manual_seed(seed)
    config = getattr(transformers, prefix + "Config")(num_labels=3 if "Classification" in task else 2, **config)
    model = randomize(getattr(transformers, prefix + task)(config))
    ids = torch.randint(5, config.vocab_size, (len(lengths), max(lengths)))
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    ids[~mask] = config.pad_token_id
    inputs = {"input_ids": ids, "attention_mask": mask.long()}
    kinds = torch.randint(0, max(1, getattr(config, "type_vocab_size", 1)), ids.shape)
    if getattr(config, "type_vocab_size", 0):
        inputs["token_type_ids"] = kinds
    given = {k: v[None] for k, v in inputs.items()} if task == "ForMultipleChoice" else inputs
    out = model(**given, output_hidden_states=True, return_dict=True)
    packed = lambda x: x[mask]  # [n, length, ...] to [tokens, ...]
    if task == "Model":
        outs = [packed(out.last_hidden_state)] + ([out.pooler_output] if getattr(out, "pooler_output", None) is not None else [])
    elif task == "ForPreTraining" and model_type != "electra":
        outs = [packed(out.prediction_logits), out.sop_logits if model_type == "albert" else out.seq_relationship_logits]
    elif task == "ForQuestionAnswering":
        outs = [packed(torch.stack([out.start_logits, out.end_logits], -1))]
    elif task == "ForMultipleChoice":
        outs = [out.logits.reshape(-1, 1)]
    elif task == "ForPreTraining":
        outs = [packed(out.logits)[:, None]]
    else:
        outs = [packed(out.logits) if task in ("ForMaskedLM", "ForTokenClassification") else out.logits]
    tensors = {"ids": array(packed(ids)), "types": array(packed(kinds)), "starts": np.cumsum([0] + lengths)}
    tensors["hidden"] = np.stack([array(packed(h)) for h in out.hidden_states[1:]])
    loss = 0
    for i, y in enumerate(outs):
        seed_of = torch.randn_like(y)
        loss = loss + (y * seed_of).sum()
        tensors |= {f"out/{i}": array(y), f"seed/{i}": array(seed_of)}
    loss.backward()
    os.makedirs(folder, exist_ok=True)
    model.save_pretrained(folder)
    for p in model.parameters():
        p.data, p.grad = (p.grad if p.grad is not None else torch.zeros_like(p)).clone(), None
    model.save_pretrained(folder + "-gradients")
    grads = load_file(os.path.join(folder + "-gradients", "model.safetensors"))
    shutil.rmtree(folder + "-gradients")
    tensors |= {f"grad/{k}": array(v) for k, v in grads.items()}
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    save_file(tensors, os.path.join(folder, "golden.safetensors"), metadata={"script": "models_bert.py", "versions": versions, "seed": str(seed)})


def write_bin(folder, source):
    """Writes a folder of testdata as the first conversions of BERT were: PyTorch's format, gamma and beta, and tied tensors."""
    weights = load_file(os.path.join(source, "model.safetensors"))
    old = {k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v for k, v in weights.items()}
    old["cls.predictions.decoder.weight"] = old["bert.embeddings.word_embeddings.weight"]
    old["bert.embeddings.position_ids"] = torch.arange(20)[None]
    os.makedirs(folder, exist_ok=True)
    torch.save(old, os.path.join(folder, "pytorch_model.bin"))
    shutil.copy(os.path.join(source, "config.json"), folder)


names = [f"{t}-{task}" for t in types for task in only.get(t, tasks) if hasattr(transformers, types[t][0] + task)]
where = sys.argv[1]
for number, name in enumerate(names, 1):
    if where == "-golden":
        if name in kept:
            write(golden("models/bert", name), name, number)
    elif len(sys.argv) == 2 or name.rsplit("-", 1)[0] in sys.argv[2:]:
        write(os.path.join(where, name), name, number)
if where == "-golden":
    write_bin(golden("models/bert", "bin"), golden("models/bert", "bert-ForPreTraining"))
