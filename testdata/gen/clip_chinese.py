"""Writes small random Chinese-CLIP models of transformers, with outputs and gradients.

    python clip_chinese.py
    python clip_chinese.py FOLDER SEED        random models of other sizes with images and tokenizers: FOLDER/hf-0 and so on
    python clip_chinese.py check FOLDER...    loads folders that Model.Save wrote and compares with expected.safetensors in them

For each model, save_pretrained writes the folder. golden.safetensors in it holds pixels, ids, features, logits, the loss and the
gradient of each parameter, with the parameter's name on disk:

    models/clip/testdata/chinese/    ChineseCLIPModel, and a vocab.txt

FOLDER/original-0 and so on hold a model in the form of the authors' code (cn_clip): a .pt file with its names, and vocab.txt. The
outputs are those of the same weights in transformers. Versions: requirements.txt. Seeds are in each golden's metadata.
"""

import os
import random
import sys

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file
from transformers import AutoImageProcessor, AutoTokenizer, BertTokenizer, ChineseCLIPConfig, ChineseCLIPImageProcessor, ChineseCLIPModel
from torchvision import transforms

from models_clip import images
from models_vit import array, finish, randomize
from opcases import golden

TEXTS = ["一只猫", "狗", "一张「Hello世界」的照片，2022年！", "naïve CAT", ""]
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"一只猫狗张的照片，！「」年世界hello2", "hello", "cat", "na", "##ive", "##0", "##2", "##22", "##l", "##o"]


def vocabulary(folder):
    with open(os.path.join(folder, "vocab.txt"), "w", encoding="utf-8") as f:
        f.write("\n".join(TOKENS) + "\n")


def outputs(model, pixels, inputs):
    out = model(pixel_values=pixels, **inputs, return_loss=True)
    out.loss.backward()
    with torch.no_grad():
        features = model.get_image_features(pixel_values=pixels).pooler_output, model.get_text_features(**inputs).pooler_output
    return {"pixels": array(pixels), "ids": inputs["input_ids"].numpy(), "mask": inputs["attention_mask"].numpy(), "image_features": array(features[0]),
            "text_features": array(features[1]), "logits": array(out.logits_per_image), "loss": array(out.loss)}


def build(vision, text, dim):
    c = ChineseCLIPConfig(vision_config=vision, text_config=dict(vocab_size=len(TOKENS)) | text, projection_dim=dim, attn_implementation="eager")
    model = ChineseCLIPModel(c).eval()
    randomize(model)
    return model


def tiny(seed):
    torch.manual_seed(seed)
    folder = golden("models/clip", "chinese")
    os.makedirs(folder, exist_ok=True)
    model = build(dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=16, patch_size=8),
                  dict(hidden_size=12, intermediate_size=20, num_hidden_layers=2, num_attention_heads=3, max_position_embeddings=24), 10)
    vocabulary(folder)
    inputs = BertTokenizer(os.path.join(folder, "vocab.txt"))(TEXTS, padding=True, return_tensors="pt")
    tensors = outputs(model, torch.randn(len(TEXTS), 3, 16, 16), inputs)
    wide = torch.randn(1, 3, 16, 24)
    with torch.no_grad():
        tensors |= {"wide/pixels": array(wide), "wide/image_features": array(model.get_image_features(pixel_values=wide, interpolate_pos_encoding=True).pooler_output)}
    finish(model, folder, tensors, seed, "clip_chinese.py")


def original(state, half, prefix):
    """The tensors of a model under the names of cn_clip."""
    out = {}
    for name, x in state.items():
        for old, new in (("vision_model.embeddings.patch_embedding", "visual.conv1"), ("vision_model.embeddings.class_embedding", "visual.class_embedding"),
                         ("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"), ("vision_model.pre_layrnorm", "visual.ln_pre"),
                         ("vision_model.post_layernorm", "visual.ln_post"), ("visual_projection.weight", "visual.proj"), ("text_projection.weight", "text_projection"),
                         ("vision_model.encoder.layers", "visual.transformer.resblocks"), ("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"),
                         ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj"), ("self_attn.out_proj", "attn.out_proj"), ("text_model.", "bert.")):
            name = name.replace(old, new)
        if name in ("visual.proj", "text_projection"):
            x = x.T.contiguous()
        part = name.split(".")[-2] if "." in name else ""
        if part in ("k_proj", "v_proj"):
            continue
        if part == "q_proj":
            at = name.split(".")[3]
            kind = name.rsplit(".", 1)[1]
            stem = f"vision_model.encoder.layers.{at}.self_attn."
            x = torch.cat([state[stem + f"{p}_proj.{kind}"] for p in "qkv"])
            name = f"visual.transformer.resblocks.{at}.attn.in_proj_{kind}"
        out[prefix + name] = x.half() if half and x.dim() > 1 else x
    return out


def flash(state):
    """The tensors of cn_clip under the names that they have when it trains with FlashAttention."""
    out = {}
    for name, x in state.items():
        name = name.replace("attn.in_proj_", "attn.Wqkv.")
        if ".self.key." in name or ".self.value." in name:
            continue
        if ".self.query." in name:
            x = torch.cat([state[name.replace("query", p)] for p in ("query", "key", "value")])
            name = name.replace("query", "Wqkv")
        out[name.replace("attention.output.dense", "attention.self.out_proj")] = x
    return out


def folder(folder, i, seed, form):
    r, rng = random.Random(seed), np.random.default_rng(seed)
    torch.manual_seed(seed)
    os.makedirs(folder)
    vocabulary(folder)
    wide = 64 if form == "original" else None
    heads, theads, patch = r.choice([1, 2]), r.choice([1, 2]), r.choice([4, 5, 8])
    width, twidth = heads * (wide or r.choice([8, 12])), theads * (wide or r.choice([8, 10]))
    size = patch * r.choice([2, 3]) + (0 if wide else r.choice([0, 1]))
    model = build(
        dict(hidden_size=width, intermediate_size=4 * width if wide else r.choice([17, 32]), num_hidden_layers=r.choice([1, 2]), num_attention_heads=heads,
             image_size=size, patch_size=patch, **({} if wide else dict(hidden_act=["quick_gelu", "gelu"][i % 2], layer_norm_eps=r.choice([1e-5, 1e-6])))),
        dict(hidden_size=twidth, intermediate_size=r.choice([19, 40]), num_hidden_layers=r.choice([1, 3]), num_attention_heads=theads,
             max_position_embeddings=r.choice([60, 70]), **({} if wide else dict(hidden_act=["gelu", "gelu_new", "relu"][i % 3], type_vocab_size=1 + i % 2))),
        r.choice([6, 16]))
    half = i % 3 == 1
    if half:
        model = model.half().float()
    length = 52 if form == "original" else r.choice([40, 60])
    tok = BertTokenizer(os.path.join(folder, "vocab.txt"), model_max_length=length, **({} if wide else dict(do_lower_case=i % 2 == 0)))
    processor = ChineseCLIPImageProcessor(size={"height": size, "width": size}, do_center_crop=False)
    if form == "hf" and i % 4 == 3:
        processor = ChineseCLIPImageProcessor(size={"shortest_edge": size}, crop_size=size)
    names = images(folder, rng, more=True)
    pictures = [Image.open(os.path.join(folder, n)) for n in names]
    if form == "hf":
        pixels = processor(pictures, return_tensors="pt")["pixel_values"]
    else:  # image_transform in cn_clip/clip/utils.py
        prepare = transforms.Compose([transforms.Resize((size, size), interpolation=transforms.InterpolationMode.BICUBIC), lambda p: p.convert("RGB"),
                                      transforms.ToTensor(), transforms.Normalize((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))])
        pixels = torch.stack([prepare(p) for p in pictures])
    inputs = tok(TEXTS + ["猫" * 80], padding=True, truncation=True, max_length=length, return_tensors="pt")
    tensors = outputs(model, pixels, inputs)
    if form == "original":
        state = original(model.state_dict(), half, ["module.", ""][i % 2])
        if i == 2:
            state = flash(state)
        state[["module.", ""][i % 2] + "bert.pooler.dense.weight"] = torch.zeros(2, 2)
        torch.save({"epoch": 1, "step": 7, "name": "x", "state_dict": state}, os.path.join(folder, "clip_cn_tiny.pt"))
    else:
        (model.half() if half else model).save_pretrained(folder)
        processor.save_pretrained(folder)
        if i % 2 == 1 or length != 60:
            tok.save_pretrained(folder)
        tensors |= {"grad/" + n: array(p.grad).reshape(p.shape) for n, p in model.float().named_parameters()}
    save_file(tensors, os.path.join(folder, "golden.safetensors"),
              metadata={"script": "clip_chinese.py", "versions": f"torch {torch.__version__}", "seed": str(seed)})


def check(folder):
    """Compares what transformers makes of a saved folder with what Fovea makes of the images and texts."""
    want = load_file(os.path.join(folder, "expected.safetensors"))
    model, info = ChineseCLIPModel.from_pretrained(folder, output_loading_info=True, dtype=torch.float32)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"], info
    processor, tok = AutoImageProcessor.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    names = sorted(n for n in os.listdir(os.path.dirname(folder)) if n.endswith(("png", "jpg")) and n != "alpha.png")
    pixels = processor([Image.open(os.path.join(os.path.dirname(folder), n)).convert("RGB") for n in names], return_tensors="pt")["pixel_values"]
    inputs = tok(TEXTS + ["猫" * 80], padding=True, truncation=True, max_length=int(want["length"]), return_tensors="pt")
    with torch.inference_mode():
        out = model.eval()(pixel_values=pixels, **inputs)
    for name, got in (("image_embeds", out.image_embeds), ("text_embeds", out.text_embeds)):
        error = np.abs(array(got) - want[name]).max() / max(1, np.sqrt((want[name] ** 2).mean()))
        assert error < (2e-2 if name == "image_embeds" else 1e-3), (folder, name, error)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        tiny(91)
    elif sys.argv[1] == "check":
        for f in sys.argv[2:]:
            check(f)
        print(len(sys.argv) - 2, "folders")
    else:
        for form, count in (("hf", 4), ("original", 3)):
            for i in range(count):
                folder(os.path.join(sys.argv[1], f"{form}-{i}"), i, 1000 * int(sys.argv[2]) + i, form)
