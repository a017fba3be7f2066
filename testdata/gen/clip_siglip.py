"""Writes small random SigLIP models of transformers, with outputs and gradients.

    python clip_siglip.py
    python clip_siglip.py FOLDER SEED        random models of other sizes with images and tokenizers: FOLDER/siglip-0 and so on
    python clip_siglip.py again FOLDER SAVED lets open_clip load what Model.Save made of that model, and compares with its golden
    python clip_siglip.py open FOLDER        a model in the form of open_clip, whose image tower is timm's
    python clip_siglip.py check FOLDER...    loads folders that Model.Save wrote and compares with expected.safetensors in them

For each model, save_pretrained writes the folder. golden.safetensors in it holds pixels, ids, embeddings, logits, the
loss and the gradient of each parameter, with the parameter's name on disk:

    models/clip/testdata/siglip/    SiglipModel: images of 19 with patches of 8, texts whose features have another width
    models/clip/testdata/naflex/    Siglip2Model: patches of three images of other proportions, padded

Versions: requirements.txt. Seeds are in each golden's metadata.
"""

import os
import random
import sys

import numpy as np
import sentencepiece
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file
from transformers import (AutoImageProcessor, AutoTokenizer, Siglip2Config, Siglip2ImageProcessor, Siglip2Model, Siglip2Processor, Siglip2Tokenizer, SiglipConfig, SiglipImageProcessor,
                          SiglipModel, SiglipProcessor, SiglipTokenizer)

import text_tokenizers
from models_clip import TEXTS, images
from models_vit import array, finish, randomize
from opcases import golden

TEXT = dict(vocab_size=50, max_position_embeddings=9, hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2,
            projection_size=12, eos_token_id=1, bos_token_id=None, pad_token_id=1)
VISION = dict(hidden_size=12, intermediate_size=20, num_hidden_layers=2, num_attention_heads=3, patch_size=8)


def outputs(model, pixels, **images):
    ids = torch.randint(2, 50, (3, 9))
    ids[0, 4:] = 1
    ids[1, 7:] = 1
    with torch.no_grad():
        model.logit_scale.fill_(1.5)
        model.logit_bias.fill_(-2.25)
    out = model(input_ids=ids, pixel_values=pixels, **images, return_loss=True)
    out.loss.backward()
    return {"pixels": array(pixels), "ids": ids.numpy(), "image_embeds": array(out.image_embeds), "text_embeds": array(out.text_embeds),
            "logits": array(out.logits_per_image), "loss": array(out.loss)}


def siglip(seed):
    torch.manual_seed(seed)
    model = SiglipModel(SiglipConfig(text_config=dict(TEXT), vision_config=dict(VISION, image_size=19), attn_implementation="eager")).eval()
    randomize(model)
    tensors = outputs(model, torch.randn(3, 3, 19, 19))
    with torch.no_grad():
        wide = torch.randn(1, 3, 16, 24)
        tensors |= {"wide/pixels": array(wide), "wide/image_features":
                    array(model.get_image_features(pixel_values=wide, interpolate_pos_encoding=True).pooler_output)}
    finish(model, golden("models/clip", "siglip"), tensors, seed, "clip_siglip.py")


def naflex(seed):
    torch.manual_seed(seed)
    model = Siglip2Model(Siglip2Config(text_config=dict(TEXT), vision_config=dict(VISION, patch_size=4, num_patches=9), attn_implementation="eager")).eval()
    randomize(model)
    shapes = torch.tensor([[3, 3], [1, 7], [4, 2]])
    mask = torch.arange(10) < shapes.prod(1, keepdim=True)
    pixels = torch.randn(3, 10, 48) * mask.unsqueeze(2)
    tensors = outputs(model, pixels, pixel_attention_mask=mask.int(), spatial_shapes=shapes)
    tensors["shapes"] = shapes.numpy()
    finish(model, golden("models/clip", "naflex"), tensors, seed, "clip_siglip.py")


def tokenizer(folder, length, **options):
    """A SiglipTokenizer of a small SentencePiece model."""
    text = os.path.join(folder, "text.txt")
    with open(text, "w", encoding="utf-8") as f:
        f.write("\n".join(text_tokenizers.LINES).lower())
    sentencepiece.SentencePieceTrainer.train(input=text, model_prefix=os.path.join(folder, "spiece"), vocab_size=400, model_type="unigram", pad_id=0,
                                             eos_id=1, unk_id=2, bos_id=-1, hard_vocab_limit=False, minloglevel=2)
    os.remove(text)
    os.remove(os.path.join(folder, "spiece.vocab"))
    return SiglipTokenizer(os.path.join(folder, "spiece.model"), model_max_length=length, **options)


def tokenizer2(length, **options):
    """A Siglip2Tokenizer of letters and a few merges."""
    merges = [("▁", "a"), ("c", "a"), ("ca", "t"), ("p", "h"), ("o", "t"), ("ph", "ot"), ("d", "o")]
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"] + [f"<0x{b:02X}>" for b in range(256)] + ["▁"] + [chr(c) for c in range(97, 123)]
    tokens += ["".join(m) for m in merges]
    side = "right" if length == 12 else "left"
    return Siglip2Tokenizer(vocab={t: i for i, t in enumerate(tokens)}, merges=merges, model_max_length=length, padding_side=side, **options)


def folder(folder, naflex, i, seed):
    r, rng = random.Random(seed), np.random.default_rng(seed)
    torch.manual_seed(seed)
    os.makedirs(folder)
    length, patch, heads, theads = r.choice([8, 12]), r.choice([4, 5]), r.choice([1, 2, 3]), r.choice([1, 2])
    names = {} if i % 2 else dict(model_input_names=["input_ids"])  # else padding is masked
    tok = tokenizer2(length, **names) if naflex else tokenizer(folder, length, **names)
    width = heads * r.choice([8, 12])
    vision = dict(hidden_size=width, intermediate_size=r.choice([17, 32]), num_hidden_layers=r.choice([1, 2, 3]), num_attention_heads=heads,
                  patch_size=patch, hidden_act=["gelu_pytorch_tanh", "gelu"][i % 2], layer_norm_eps=r.choice([1e-5, 1e-6]))
    text = dict(vocab_size=len(tok), max_position_embeddings=length + 3 * (i > 1),  # the limit of the tokenizer counts
                 hidden_size=theads * 8, intermediate_size=r.choice([19, 40]),
                num_hidden_layers=r.choice([1, 2]), num_attention_heads=theads, projection_size=width, bos_token_id=None, eos_token_id=1)
    if naflex:
        side, most = r.choice([2, 3, 4]), r.choice([7, 16, 30])
        model = Siglip2Model(Siglip2Config(text_config=text, vision_config=vision | dict(num_patches=side * side), attn_implementation="eager"))
        processor = Siglip2ImageProcessor(patch_size=patch, max_num_patches=most)
    else:
        size = patch * r.choice([2, 3]) + i % 2
        model = SiglipModel(SiglipConfig(text_config=text, vision_config=vision | dict(image_size=size), attn_implementation="eager"))
        processor = SiglipImageProcessor(size={"height": size, "width": size}, **(dict(resample=2) if i % 3 == 2 else {}))
    randomize(model.eval())
    names = images(folder, rng)
    inputs = processor([Image.open(os.path.join(folder, n)).convert("RGB") for n in names], return_tensors="pt")
    words = tok(TEXTS + ["CAT " * 20], padding="max_length", truncation=True, max_length=length, return_tensors="pt")
    assert ("attention_mask" in words) == bool(i % 2)
    out = model(**words, **inputs, return_loss=True)
    out.loss.backward()
    tensors = {"grad/" + n: array(p.grad).reshape(p.shape) for n, p in model.named_parameters()}
    tensors |= {k: v.numpy() if "shape" in k or "mask" in k else array(v) for k, v in inputs.items()}
    tensors |= {"ids": words["input_ids"].numpy(), "image_embeds": array(out.image_embeds), "text_embeds": array(out.text_embeds),
                "logits": array(out.logits_per_image), "loss": array(out.loss)}
    if i % 2:
        tensors["seen"] = words["attention_mask"].numpy()
    model.save_pretrained(folder)
    if i % 2:
        processor.save_pretrained(folder)
    else:
        (Siglip2Processor if naflex else SiglipProcessor)(processor, tok).save_pretrained(folder)
    tok.save_pretrained(folder)
    save_file(tensors, os.path.join(folder, "golden.safetensors"),
              metadata={"script": "clip_siglip.py", "versions": f"torch {torch.__version__}", "seed": str(seed)})


def check(folder):
    """Compares what transformers makes of a saved folder with what Fovea makes of the images and texts."""
    want = load_file(os.path.join(folder, "expected.safetensors"))
    naflex = os.path.basename(os.path.dirname(folder)).startswith("naflex")
    model, info = (Siglip2Model if naflex else SiglipModel).from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"], info
    processor, tok = AutoImageProcessor.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    names = ["gray.png", "tall.png", "tiny.png", "wide.png"]
    inputs = processor([Image.open(os.path.join(os.path.dirname(folder), n)).convert("RGB") for n in names], return_tensors="pt")
    words = tok(TEXTS + ["CAT " * 20], padding="max_length", truncation=True, return_tensors="pt")
    with torch.inference_mode():
        out = model.eval()(**words, **inputs)
    for name, got in (("image_embeds", out.image_embeds), ("text_embeds", out.text_embeds), ("logits", out.logits_per_image)):
        error = np.abs(array(got) - want[name]).max() / max(1, np.sqrt((want[name] ** 2).mean()))
        assert error < (2e-3 if name == "logits" else 1e-3), (folder, name, error)


def register():
    """Adds the image tower vit_test_patch4_siglip_12 to timm; the test adds it to the tables of package clip."""
    import timm

    def vit_test_patch4_siglip_12(pretrained=False, **options):
        options = dict(img_size=12, patch_size=4, embed_dim=24, depth=2, num_heads=3, mlp_ratio=1.5, class_token=False, act_layer="gelu_tanh") | options
        return timm.models.vision_transformer.VisionTransformer(**{k: v for k, v in options.items() if not k.startswith(("pretrained", "cache"))})

    timm.models.register_model(vit_test_patch4_siglip_12)


def again(folder, saved):
    """Compares what open_clip makes of a saved folder with what it made of the original."""
    import open_clip

    register()
    want = load_file(os.path.join(folder, "golden.safetensors"))
    model, _, preprocess = open_clip.create_model_and_transforms("local-dir:" + saved)
    names = ["gray.png", "tall.png", "tiny.png", "wide.png"]
    pixels = torch.stack([preprocess(Image.open(os.path.join(folder, n))) for n in names])
    ids = open_clip.get_tokenizer("local-dir:" + saved)(TEXTS + ["CAT_" * 20])
    assert (ids.numpy() == want["ids"]).all(), ids
    with torch.inference_mode():
        got = array(model.eval().get_logits(pixels, ids)[0])
    assert np.abs(got - want["logits"]).max() < 1e-4, (got, want["logits"])


def openclip(folder):
    """A model of open_clip."""
    import json
    import open_clip

    register()
    torch.manual_seed(71)
    rng = np.random.default_rng(71)
    os.makedirs(folder)
    tok = tokenizer2(12)
    tok.save_pretrained(folder)
    model_cfg = dict(
        embed_dim=24, init_logit_bias=-10, custom_text=True,
        vision_cfg=dict(image_size=12, timm_model_name="vit_test_patch4_siglip_12", timm_model_pretrained=False, timm_pool="map", timm_proj="none"),
        text_cfg=dict(context_length=12, vocab_size=len(tok), hf_tokenizer_name="x", tokenizer_kwargs={"clean": "canonicalize"}, width=16, heads=2, layers=2,
                      mlp_ratio=2.2, no_causal_mask=True, proj_bias=True, pool_type="last", norm_kwargs={"eps": 1e-6}, act_kwargs={"approximate": "tanh"}))
    preprocess_cfg = dict(mean=[0.5] * 3, std=[0.5] * 3, interpolation="bicubic", resize_mode="squash")
    with open(os.path.join(folder, "open_clip_config.json"), "w") as f:
        json.dump(dict(model_cfg=model_cfg, preprocess_cfg=preprocess_cfg), f)
    kwargs = {k: v for k, v in model_cfg.items() if k != "custom_text"}
    model = open_clip.model.CustomTextCLIP(**kwargs).eval()
    randomize(model)
    save_file({k: v.numpy() for k, v in model.state_dict().items()}, os.path.join(folder, "open_clip_model.safetensors"), metadata={"format": "pt"})
    model, _, preprocess = open_clip.create_model_and_transforms("local-dir:" + folder)
    model.eval()
    names = images(folder, rng)
    pixels = torch.stack([preprocess(Image.open(os.path.join(folder, n))) for n in names])
    ids = open_clip.get_tokenizer("local-dir:" + folder)(TEXTS + ["CAT_" * 20])
    x, y = model.encode_image(pixels, normalize=True), model.encode_text(ids, normalize=True)
    loss = open_clip.loss.SigLipLoss()(x, y, model.logit_scale.exp(), model.logit_bias)
    loss.backward()
    tensors = {"grad/" + n: array(p.grad) for n, p in model.named_parameters()}
    tensors |= {"pixel_values": array(pixels), "ids": ids.numpy(), "image_embeds": array(x), "text_embeds": array(y), "loss": array(loss),
                "logits": array(model.get_logits(pixels, ids)[0])}
    save_file(tensors, os.path.join(folder, "golden.safetensors"),
              metadata={"script": "clip_siglip.py", "versions": f"torch {torch.__version__}, open_clip {open_clip.__version__}", "seed": "71"})


if __name__ == "__main__":
    if len(sys.argv) == 1:
        siglip(61)
        naflex(62)
    elif sys.argv[1] == "open":
        openclip(sys.argv[2])
    elif sys.argv[1] == "again":
        again(sys.argv[2], sys.argv[3])
    elif sys.argv[1] == "check":
        for f in sys.argv[2:]:
            check(f)
        print(len(sys.argv) - 2, "folders")
    else:
        for i in range(4):
            folder(os.path.join(sys.argv[1], f"siglip-{i}"), False, i, 1000 * int(sys.argv[2]) + i)
            folder(os.path.join(sys.argv[1], f"naflex-{i}"), True, i, 1000 * int(sys.argv[2]) + 10 + i)
