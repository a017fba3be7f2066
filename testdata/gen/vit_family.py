"""Writes small random models of transformers' DeiT, DINOv2, DINOv3 and BEiT, with outputs and gradients.

    python vit_family.py           the goldens models/vit/testdata/{deit,registers,dinov3,beit}
    python vit_family.py OUT       OUT/NAME for every form
    python vit_family.py meta OUT  OUT/NAME for files with the names of facebookresearch/dinov2, whose model is below
    python vit_family.py google OUT      OUT/NAME for .npz files with the names of Google's releases, and what timm makes of them
    python vit_family.py processor OUT   OUT/preprocessor_config.json of DINOv3, images and their pixels

save_pretrained writes the folder. golden.safetensors in it holds pixels, all hidden states, logits or the features (the
class token), and the gradient of each parameter, with its name on disk; then pixels and outputs of images of two other
sizes. Versions: requirements.txt. Seeds are in each golden's metadata.
"""

import os
import sys

import torch
import transformers as tr
from safetensors.torch import save_file as save_tensors

from models_vit import array, finish, golden, randomize

SMALL = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=12, patch_size=4)
HIDDEN = dict(intermediate_size=24)

FORMS = {
    "deit": lambda: tr.DeiTForImageClassificationWithTeacher(tr.DeiTConfig(**SMALL, **HIDDEN, num_labels=3)),
    "deit_class": lambda: tr.DeiTForImageClassification(tr.DeiTConfig(**SMALL, **HIDDEN, num_labels=3)),
    "deit_base": lambda: tr.DeiTModel(tr.DeiTConfig(**SMALL, **HIDDEN)),
    "dinov2": lambda: tr.Dinov2Model(tr.Dinov2Config(**SMALL, mlp_ratio=2)),
    "dinov2_class": lambda: tr.Dinov2ForImageClassification(tr.Dinov2Config(**SMALL, use_swiglu_ffn=True, num_labels=3)),
    "registers": lambda: tr.Dinov2WithRegistersForImageClassification(tr.Dinov2WithRegistersConfig(**SMALL, mlp_ratio=2, num_labels=3)),
    "registers_base": lambda: tr.Dinov2WithRegistersModel(tr.Dinov2WithRegistersConfig(**SMALL, use_swiglu_ffn=True, num_register_tokens=2, qkv_bias=False)),
    "dinov3": lambda: tr.DINOv3ViTModel(tr.DINOv3ViTConfig(**SMALL, **HIDDEN, num_register_tokens=4, use_gated_mlp=True, hidden_act="silu")),
    "dinov3_plain": lambda: tr.DINOv3ViTModel(tr.DINOv3ViTConfig(**SMALL, **HIDDEN, num_register_tokens=1)),
    "dinov3_key": lambda: tr.DINOv3ViTModel(tr.DINOv3ViTConfig(**SMALL, **HIDDEN, key_bias=True, rope_theta=50.0)),
    "dinov3_none": lambda: tr.DINOv3ViTModel(tr.DINOv3ViTConfig(**SMALL, **HIDDEN, query_bias=False, value_bias=False)),
    "beit": lambda: tr.BeitForImageClassification(tr.BeitConfig(**SMALL, **HIDDEN, use_relative_position_bias=True, num_labels=3)),
    "beit_shared": lambda: tr.BeitModel(tr.BeitConfig(**SMALL, **HIDDEN, use_shared_relative_position_bias=True, use_mask_token=True)),
    "beit_token": lambda: tr.BeitForImageClassification(tr.BeitConfig(**SMALL, **HIDDEN, use_shared_relative_position_bias=True, use_mean_pooling=False, num_labels=3)),
    "beit_absolute": lambda: tr.BeitModel(tr.BeitConfig(**SMALL, **HIDDEN, use_absolute_position_embeddings=True, layer_scale_init_value=0.0, use_mean_pooling=False)),
    "data2vec": lambda: tr.Data2VecVisionForImageClassification(tr.Data2VecVisionConfig(**SMALL, **HIDDEN, use_relative_position_bias=True, num_labels=3)),
    "data2vec_base": lambda: tr.Data2VecVisionModel(tr.Data2VecVisionConfig(**SMALL, **HIDDEN, use_shared_relative_position_bias=True)),
}
BEIT = ("beit", "data2vec-vision")


def result_of(model, out):
    """Returns the logits, or what a model without a classifier gives for an image."""
    if "logits" in out:
        return out.logits
    if model.config.model_type not in BEIT:
        return out.last_hidden_state[:, 0]
    return out.last_hidden_state[:, 1:].mean(1) if out.pooler_output is None else out.pooler_output


def run(model, x):
    args = dict(interpolate_pos_encoding=True) if model.config.model_type == "deit" else {}
    out = model(x, output_hidden_states=True, **args)
    return out, result_of(model, out)


def make(name, folder):
    seed = 1 + list(FORMS).index(name)
    torch.manual_seed(seed)
    model = FORMS[name]().eval()
    randomize(model)
    x = torch.randn(2, 3, 12, 12)
    out, result = run(model, x)
    result.square().sum().backward()
    tensors = {"pixels": array(x), "output": array(result)}
    for i, h in enumerate(out.hidden_states):
        tensors[f"hidden.{i}"] = array(h)
    for size in ((20, 8), (8, 16)):
        other = torch.randn(1, 3, *size)
        with torch.no_grad():
            tensors |= {f"{size[0]}x{size[1]}/pixels": array(other), f"{size[0]}x{size[1]}/output": array(run(model, other)[1])}
    tensors["parameters"] = array(torch.tensor([float(sum(p.numel() for n, p in model.named_parameters() if "mask_token" not in n and ("pooler" not in n or model.config.model_type in BEIT)))]))
    finish(model, folder, tensors, seed, "vit_family.py")


class Attention(torch.nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.qkv, self.proj = heads, torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width)

    def forward(self, x):
        n, length, width = x.shape
        q, k, v = self.qkv(x).reshape(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return self.proj(torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape))


class SwiGLU(torch.nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.w12, self.w3 = torch.nn.Linear(width, 2 * hidden), torch.nn.Linear(hidden, width)

    def forward(self, x):
        a, b = self.w12(x).chunk(2, -1)
        return self.w3(torch.nn.functional.silu(a) * b)


class MLP(torch.nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.fc1, self.fc2 = torch.nn.Linear(width, hidden), torch.nn.Linear(hidden, width)

    def forward(self, x):
        return self.fc2(torch.nn.functional.gelu(self.fc1(x)))


class Scale(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gamma = torch.nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * self.gamma


class Block(torch.nn.Module):
    def __init__(self, width, gated):
        super().__init__()
        self.norm1, self.attn, self.ls1 = torch.nn.LayerNorm(width, eps=1e-6), Attention(width, width // 64), Scale(width)
        self.norm2, self.mlp, self.ls2 = torch.nn.LayerNorm(width, eps=1e-6), (SwiGLU if gated else MLP)(width, 24), Scale(width)

    def forward(self, x):
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))


class Meta(torch.nn.Module):
    """DinoVisionTransformer as released: positions of 3 by 3 patches; with registers they are resized with antialiasing, else
    with an offset of 0.1."""

    def __init__(self, registers, gated):
        super().__init__()
        width = 64
        self.patch_embed = torch.nn.Module()
        self.patch_embed.proj = torch.nn.Conv2d(3, width, 4, 4)
        self.cls_token, self.mask_token = torch.nn.Parameter(torch.zeros(1, 1, width)), torch.nn.Parameter(torch.zeros(1, width))
        self.pos_embed = torch.nn.Parameter(torch.zeros(1, 10, width))
        if registers:
            self.register_tokens = torch.nn.Parameter(torch.zeros(1, registers, width))
        self.blocks = torch.nn.ModuleList([Block(width, gated)])
        self.norm = torch.nn.LayerNorm(width, eps=1e-6)
        self.offset, self.antialias = (0.0, True) if registers else (0.1, False)

    def positions(self, h, w):
        if h == w == 3:
            return self.pos_embed
        grid = self.pos_embed[:, 1:].reshape(1, 3, 3, -1).permute(0, 3, 1, 2)
        how = dict(scale_factor=((h + self.offset) / 3, (w + self.offset) / 3)) if self.offset else dict(size=(h, w))
        grid = torch.nn.functional.interpolate(grid, mode="bicubic", antialias=self.antialias, **how)
        assert grid.shape[2:] == (h, w)
        return torch.cat([self.pos_embed[:, :1], grid.permute(0, 2, 3, 1).reshape(1, h * w, -1)], 1)

    def forward(self, x):
        patches = self.patch_embed.proj(x)
        h, w = patches.shape[2:]
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), patches.flatten(2).transpose(1, 2)], 1) + self.positions(h, w)
        if hasattr(self, "register_tokens"):
            x = torch.cat([x[:, :1], self.register_tokens.expand(len(x), -1, -1), x[:, 1:]], 1)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)[:, 0]


def meta(out):
    for seed, (name, args) in enumerate({"meta_dinov2": (0, False), "meta_registers": (4, True)}.items()):
        torch.manual_seed(100 + seed)
        model = Meta(*args).eval()
        randomize(model)
        os.makedirs(os.path.join(out, name))
        torch.save(model.state_dict(), os.path.join(out, name, name + "_pretrain.pth"))
        tensors = {}
        with torch.no_grad():
            for size in ((12, 12), (20, 8), (8, 16), (28, 28)):
                x = torch.randn(1, 3, *size)
                tensors |= {f"{size[0]}x{size[1]}/pixels": x, f"{size[0]}x{size[1]}/output": model(x)}
        save_tensors(tensors, os.path.join(out, name + ".golden.safetensors"), metadata={
            "script": "vit_family.py", "versions": f"torch {torch.__version__}", "seed": str(100 + seed)})


def processor(out):
    import numpy as np
    from PIL import Image
    p = tr.DINOv3ViTImageProcessor(size={"height": 48, "width": 32})
    p.save_pretrained(out)
    tensors = {}
    for name, size in {"wide": (61, 143, 3), "small": (17, 11, 3), "same": (48, 32, 3)}.items():
        a = np.random.RandomState(len(name)).randint(0, 256, size, dtype=np.uint8)
        Image.fromarray(a).save(os.path.join(out, name + ".png"))
        tensors[name] = p(Image.open(os.path.join(out, name + ".png")), return_tensors="pt").pixel_values
    save_tensors(tensors, os.path.join(out, "golden.safetensors"), metadata={
        "script": "vit_family.py", "versions": f"transformers {tr.__version__}", "seed": "4, 5"})


def google(out):
    """google-research's vision_transformer, big_vision's with its blocks in one tensor each, and SigLIP's with its pooling."""
    import numpy as np
    import timm
    import timm_walk  # noqa: F401, which narrows the convolutions of hybrids
    for seed, (name, prefix, big, args) in enumerate([
            ("jax", "", False, {}), ("jax_opt", "opt/target/", False, {}), ("big", "params/", True, {}),
            ("siglip", "params/img/", True, dict(class_token=False, global_pool="map", num_classes=0)),
            ("hybrid", "", False, dict(model="vit_small_r26_s32_224", img_size=96, patch_size=1)),
            ("hybrid_stem", "", False, dict(model="vit_tiny_r_s16_p8_224", img_size=24, patch_size=2))]):
        torch.manual_seed(200 + seed)
        rng = np.random.RandomState(seed)
        width, heads, hidden, side = 24, 2, 40, 3
        kind, size = args.pop("model", "vit_tiny_patch16_224"), dict(img_size=args.pop("img_size", 12), patch_size=args.pop("patch_size", 4))
        channels = {"hybrid": (32, 128, 128, 256, 128), "hybrid_stem": (32,)}.get(name, ())
        r = lambda *shape: (rng.randn(*shape) * 0.3).astype(np.float32)
        p = size["patch_size"]
        w = {"embedding/kernel": r(p, p, channels[-1] if channels else 3, width), "embedding/bias": r(width)}
        group = lambda p, c, *n: {p + "/scale": 1 + r(*n, c), p + "/bias": r(*n, c)}
        if channels:
            w |= {"conv_root/kernel": r(7, 7, 3, channels[0])} | group("gn_root", channels[0], 1, 1, 1)
        for i, (before, c) in enumerate(zip(channels, channels[1:])):
            for unit in ("unit1", "unit2"):
                for part, shape in (("1", (1, 1, before, c // 4)), ("2", (3, 3, c // 4, c // 4)), ("3", (1, 1, c // 4, c))):
                    w |= {f"block{i + 1}/{unit}/conv{part}/kernel": r(*shape)} | group(f"block{i + 1}/{unit}/gn{part}", shape[3])
                if unit == "unit1":
                    w |= {f"block{i + 1}/{unit}/conv_proj/kernel": r(1, 1, before, c)} | group(f"block{i + 1}/{unit}/gn_proj", c)
                before = c
        if args.get("class_token", True):
            w["cls"] = r(1, 1, width)
        w["pos_embedding" if big else "Transformer/posembed_input/pos_embedding"] = r(1, side * side + ("cls" in w), width)
        norm = lambda p, *n: {p + "/scale": r(*n, width), p + "/bias": r(*n, width)}
        dense = lambda p, i, o, *n: {p + "/kernel": r(*n, i, o), p + "/bias": r(*n, o)}

        def attention(p, *n):
            a = {}
            for part in ("query", "key", "value"):
                a |= {f"{p}/{part}/kernel": r(*n, width, heads, width // heads), f"{p}/{part}/bias": r(*n, heads, width // heads)}
            return a | {p + "/out/kernel": r(*n, heads, width // heads, width), p + "/out/bias": r(*n, width)}

        w |= norm("Transformer/encoder_norm")
        if args.get("num_classes", 3):
            w |= dense("head", width, 3)
        mha, mlp, second = (0, 0, 1) if big else (1, 3, 2)
        for p, n in [("Transformer/encoderblock/", (2,))] if big else [("Transformer/encoderblock_0/", ()), ("Transformer/encoderblock_1/", ())]:
            w |= norm(p + "LayerNorm_0", *n) | norm(f"{p}LayerNorm_{second}", *n) | attention(f"{p}MultiHeadDotProductAttention_{mha}", *n)
            w |= dense(f"{p}MlpBlock_{mlp}/Dense_0", width, hidden, *n) | dense(f"{p}MlpBlock_{mlp}/Dense_1", hidden, width, *n)
        if not args.get("class_token", True):
            p = "MAPHead_0/"
            w |= {p + "probe": r(1, 1, width)} | norm(p + "LayerNorm_0") | attention(p + "MultiHeadDotProductAttention_0")
            w |= dense(p + "MlpBlock_0/Dense_0", width, hidden) | dense(p + "MlpBlock_0/Dense_1", hidden, width)
        os.makedirs(os.path.join(out, name))
        path = os.path.join(out, name, "ViT.npz")
        np.savez(path, **{prefix + k: v for k, v in w.items()})
        model = timm.create_model(kind, **size, embed_dim=width, depth=2, num_heads=heads,
                                  mlp_ratio=hidden / width + 1e-6, **(dict(num_classes=3) | args)).eval()
        model.load_pretrained(path)
        x = torch.randn(2, 3, size["img_size"], size["img_size"])
        with torch.no_grad():
            save_tensors({"pixels": x, "output": model(x)}, os.path.join(out, name + ".golden.safetensors"), metadata={
                "script": "vit_family.py", "versions": f"timm {timm.__version__}", "seed": str(200 + seed)})


if __name__ == "__main__":
    if sys.argv[1:2] == ["google"]:
        google(sys.argv[2])
    elif sys.argv[1:2] == ["processor"]:
        processor(sys.argv[2])
    elif sys.argv[1:2] == ["meta"]:
        meta(sys.argv[2])
    elif sys.argv[1:]:
        for name in FORMS:
            make(name, os.path.join(sys.argv[1], name))
    else:
        for name in ("deit", "registers", "dinov3", "beit"):
            make(name, golden("models/vit", name))
