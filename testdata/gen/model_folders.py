"""Writes small random Vision Transformers in all common file formats ("forms"), with the outputs of their library.

    python model_folders.py OUT [NAME...]      writes OUT/NAME for all forms, or for the named ones
    python model_folders.py -golden            writes the forms in the repository, for models/vit and models/mae

The library itself writes weights and configuration to the folder. NAME.golden.safetensors beside it holds:

- pixels and logits
- or pixels and features, for a model without a classifier
- or pixels, noise, prediction and loss, for a masked autoencoder

"size" in its metadata is the image size to load the model with, if that differs from the model's own.

hf_ forms come from transformers, timm_ forms from timm. deit and mae_ forms come from modules with the structure and
names of facebookresearch/deit and facebookresearch/mae; their encoder is timm's. The seed is the form's number.
"""

import os
import shutil
import sys

import numpy as np
import timm
import torch
import transformers
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors
from timm.models._hub import save_for_hf
from timm.models.vision_transformer import Block, VisionTransformer
from transformers import ViTConfig, ViTForImageClassification, ViTMAEConfig, ViTMAEForPreTraining, ViTModel

from opcases import golden

torch.set_num_threads(1)
forms = {}
kept = {"timm_class", "timm_mean", "timm_deit3", "timm_clip", "mae_original"}


def form(f):
    forms[f.__name__] = f
    return f


def array(x):
    return np.ascontiguousarray(x.detach().numpy().astype(np.float32))


def randomize(model):
    """Gives every parameter a random value that float16 represents exactly, so that the files can be half as large."""
    with torch.no_grad():
        for p in model.parameters():
            p.copy_((p + torch.randn_like(p) * (0.1 if p.ndim > 1 else 0.2)).half().float())
    return model.eval()


def halve(state):
    return {k: v.half().contiguous() for k, v in state.items()}


def finish(folder, tensors, **metadata):
    versions = f"torch {torch.__version__}, timm {timm.__version__}, transformers {transformers.__version__}"
    save_file({k: array(v) for k, v in tensors.items()}, folder + ".golden.safetensors",
              metadata={"script": "model_folders.py", "versions": versions, "seed": str(torch.initial_seed())} |
              {k: str(v) for k, v in metadata.items()})


def pixels(size=16, channels=3, n=2):
    return torch.randn(n, channels, size, size)


def small_vit(**more):
    return ViTConfig(**(dict(hidden_size=64, num_hidden_layers=1, num_attention_heads=2, intermediate_size=96,
                             image_size=16, patch_size=8, num_labels=5) | more))


# --- transformers ---

@form
def hf_class(folder):
    model = randomize(ViTForImageClassification(small_vit(layer_norm_eps=1e-6)))
    model.save_pretrained(folder)
    x = pixels()
    finish(folder, {"pixels": x, "logits": model(x).logits})


@form
def hf_shards(folder):
    model = randomize(ViTForImageClassification(small_vit()))
    model.save_pretrained(folder, max_shard_size="50KB")
    assert os.path.exists(os.path.join(folder, "model.safetensors.index.json"))
    x = pixels()
    finish(folder, {"pixels": x, "logits": model(x).logits})


@form
def hf_half(folder):
    model = randomize(ViTForImageClassification(small_vit()))
    x = pixels()
    logits = model(x).logits
    model.half().save_pretrained(folder)
    finish(folder, {"pixels": x, "logits": logits})


@form
def hf_options(folder):
    model = randomize(ViTForImageClassification(small_vit(qkv_bias=False, hidden_act="quick_gelu", num_channels=1)))
    model.save_pretrained(folder)
    x = pixels(channels=1)
    finish(folder, {"pixels": x, "logits": model(x).logits})


@form
def hf_memory(folder):
    """The names of transformers 5 in memory, as in torch.save(model.state_dict())."""
    model = randomize(ViTForImageClassification(small_vit()))
    model.config.save_pretrained(folder)
    save_tensors({k: v.contiguous() for k, v in model.state_dict().items()}, os.path.join(folder, "model.safetensors"))
    x = pixels()
    finish(folder, {"pixels": x, "logits": model(x).logits})


@form
def hf_base(folder):
    """Without a classifier, with the pooler of ViTModel, and with names without the prefix "vit."."""
    model = randomize(ViTModel(small_vit()))
    model.save_pretrained(folder)
    x = pixels()
    finish(folder, {"pixels": x, "features": model(x).last_hidden_state[:, 0]})


@form
def hf_larger(folder):
    """Positions interpolated for images larger than the model's image size."""
    model = randomize(ViTForImageClassification(small_vit()))
    model.save_pretrained(folder)
    x = pixels(40)
    finish(folder, {"pixels": x, "logits": model(x, interpolate_pos_encoding=True).logits}, size=40)


# --- timm ---

def timm_model(arch="vit_tiny_patch16_224", **more):
    return randomize(timm.create_model(arch, **(dict(
        img_size=16, patch_size=8, embed_dim=64, depth=1, num_heads=2, mlp_ratio=1.5, num_classes=5) | more)))


def finish_timm(folder, model, size=None, **config):
    save_for_hf(model, folder, safe_serialization=True, model_config=config or None)
    from safetensors.torch import load_file
    weights = os.path.join(folder, "model.safetensors")
    save_tensors(halve(load_file(weights)), weights, metadata={"format": "pt"})
    x = pixels(size or 16)
    if size:
        model = timm.create_model("local-dir:" + folder, pretrained=True, img_size=size).eval()
    out = {"pixels": x, "logits" if model.num_classes else "features": model(x)}
    if size:
        finish(folder, out, size=size)
    else:
        finish(folder, out)


@form
def timm_class(folder):
    finish_timm(folder, timm_model(), label_names=["cat", "dog", "owl", "hen", "fox"])


@form
def timm_mean(folder):
    finish_timm(folder, timm_model(global_pool="avg"), label_names={"0": "cat", "1": "dog", "2": "owl", "3": "hen", "4": "fox"})


@form
def timm_mean_of_norm(folder):
    finish_timm(folder, timm_model(global_pool="avg", fc_norm=False))


@form
def timm_token_fc_norm(folder):
    finish_timm(folder, timm_model(fc_norm=True))


@form
def timm_gap(folder):
    """An architecture whose name determines the pooling: no class token. It has 16 heads instead of the usual 12."""
    finish_timm(folder, timm_model("vit_base_patch16_gap_224", num_heads=16))


@form
def timm_deit3(folder):
    """Layer scale, and positions without a row for the class token."""
    finish_timm(folder, timm_model("deit3_small_patch16_224"))


@form
def timm_clip(folder):
    """A norm before the blocks, an epsilon of 1e-5, quick GELU, and no bias in the patch embedding."""
    finish_timm(folder, timm_model("vit_base_patch16_clip_quickgelu_224"))


@form
def timm_options(folder):
    finish_timm(folder, timm_model(qkv_bias=False, init_values=0.1, act_layer="gelu_tanh", pre_norm=True, mlp_ratio=1.3))


@form
def timm_distilled(folder):
    finish_timm(folder, timm_model("deit_tiny_distilled_patch16_224", num_classes=0))


@form
def timm_dinov2(folder):
    finish_timm(folder, timm_model("vit_small_patch14_dinov2", num_classes=0))


@form
def timm_larger(folder):
    finish_timm(folder, timm_model(), size=40)


@form
def timm_smaller(folder):
    finish_timm(folder, timm_model("deit3_small_patch16_224", img_size=40), size=16)


@form
def timm_published(folder):
    """A published architecture: only its name determines the number of heads."""
    model = randomize(timm.create_model("vit_tiny_patch16_224", num_classes=3))
    save_for_hf(model, folder, safe_serialization=True)
    x = pixels(224, n=1)
    finish(folder, {"pixels": x, "logits": model(x)})


# --- original releases ---

@form
def deit(folder):
    """One file with the state dictionary under the key "model", as released."""
    model = randomize(VisionTransformer(img_size=16, patch_size=8, embed_dim=64, depth=1, num_heads=1, mlp_ratio=1.5, num_classes=5))
    torch.save({"model": model.state_dict()}, os.path.join(folder, "deit_tiny_patch16_224-a1311bcf.pth"))
    x = pixels()
    finish(folder, {"pixels": x, "logits": model(x)})


class MaskedAutoencoder(torch.nn.Module):
    """A masked autoencoder whose modules have the names of facebookresearch/mae."""

    def __init__(self, size, patch, width, depth, heads, decoder_width, decoder_depth, decoder_heads):
        super().__init__()
        norm = lambda d, **_: torch.nn.LayerNorm(d, eps=1e-6)
        tower = VisionTransformer(img_size=size, patch_size=patch, embed_dim=width, depth=depth, num_heads=heads, mlp_ratio=2., num_classes=0)
        self.patch, self.patch_embed, self.cls_token, self.pos_embed = patch, tower.patch_embed, tower.cls_token, tower.pos_embed
        self.blocks, self.norm = tower.blocks, tower.norm
        self.decoder_embed = torch.nn.Linear(width, decoder_width)
        self.mask_token = torch.nn.Parameter(torch.zeros(1, 1, decoder_width))
        self.decoder_pos_embed = torch.nn.Parameter(torch.zeros(1, 1 + tower.patch_embed.num_patches, decoder_width))
        self.decoder_blocks = torch.nn.ModuleList(
            [Block(decoder_width, decoder_heads, 2., qkv_bias=True, norm_layer=norm) for _ in range(decoder_depth)])
        self.decoder_norm = norm(decoder_width)
        self.decoder_pred = torch.nn.Linear(decoder_width, 3 * patch * patch)

    def forward(self, x, noise, ratio=0.75):
        n, patches = noise.shape
        keep = int(patches * (1 - ratio))
        shuffle = noise.argsort(1)
        restore = shuffle.argsort(1)
        mask = (restore >= keep).float()
        tokens = self.patch_embed(x) + self.pos_embed[:, 1:]
        tokens = tokens.gather(1, shuffle[:, :keep, None].expand(-1, -1, tokens.shape[2]))
        tokens = torch.cat([(self.cls_token + self.pos_embed[:, :1]).expand(n, -1, -1), tokens], 1)
        tokens = self.decoder_embed(self.norm(self.blocks(tokens)))
        hidden = torch.cat([tokens[:, 1:], self.mask_token.expand(n, patches - keep, -1)], 1)
        hidden = hidden.gather(1, restore[:, :, None].expand(-1, -1, hidden.shape[2]))
        hidden = torch.cat([tokens[:, :1], hidden], 1) + self.decoder_pos_embed
        for block in self.decoder_blocks:
            hidden = block(hidden)
        prediction = self.decoder_pred(self.decoder_norm(hidden))[:, 1:]
        p, side = self.patch, x.shape[2] // self.patch
        target = x.reshape(n, 3, side, p, side, p).permute(0, 2, 4, 3, 5, 1).reshape(n, patches, -1)
        loss = ((prediction - target) ** 2).mean(2)
        return prediction, (loss * mask).sum() / mask.sum()


def autoencoder():
    return randomize(MaskedAutoencoder(16, 4, 64, 1, 1, 32, 1, 1))


def run_autoencoder(model, folder):
    x, noise = pixels(), torch.rand(2, 16)
    prediction, loss = model(x, noise)
    finish(folder, {"pixels": x, "noise": noise, "prediction": prediction, "loss": loss})


@form
def mae_original(folder):
    """With the decoder, in one file. It is safetensors, so that the test needs no pickle."""
    model = autoencoder()
    save_tensors(halve(model.state_dict()), os.path.join(folder, "mae_visualize.safetensors"))
    run_autoencoder(model, folder)


@form
def mae_pth(folder):
    model = autoencoder()
    torch.save({"model": model.state_dict()}, os.path.join(folder, "mae_visualize_vit_base.pth"))
    run_autoencoder(model, folder)


@form
def mae_encoder(folder):
    """The encoder alone, as released for fine-tuning."""
    model = autoencoder()
    state = {k: v for k, v in model.state_dict().items() if "decoder" not in k and k != "mask_token"}
    torch.save({"model": state}, os.path.join(folder, "mae_pretrain_vit_base.pth"))
    x = pixels()
    tokens = model.patch_embed(x) + model.pos_embed[:, 1:]
    tokens = torch.cat([(model.cls_token + model.pos_embed[:, :1]).expand(2, -1, -1), tokens], 1)
    finish(folder, {"pixels": x, "features": model.norm(model.blocks(tokens))[:, 0]})


@form
def mae_finetuned(folder):
    """Fine-tuned: the mean of the patch tokens, then fc_norm."""
    model = randomize(VisionTransformer(img_size=16, patch_size=8, embed_dim=64, depth=1, num_heads=1, num_classes=5, global_pool="avg"))
    torch.save({"model": model.state_dict(), "epoch": 99}, os.path.join(folder, "mae_finetuned_vit_base.pth"))
    x = pixels()
    finish(folder, {"pixels": x, "logits": model(x)})


def hf_autoencoder():
    return randomize(ViTMAEForPreTraining(ViTMAEConfig(
        hidden_size=64, num_hidden_layers=1, num_attention_heads=2, intermediate_size=96, image_size=16, patch_size=4,
        decoder_hidden_size=32, decoder_num_hidden_layers=2, decoder_num_attention_heads=2, decoder_intermediate_size=48,
        norm_pix_loss=True)))


def run_hf_autoencoder(model, folder):
    x, noise = pixels(), torch.rand(2, 16)
    out = model(x, noise=noise)
    finish(folder, {"pixels": x, "noise": noise, "prediction": out.logits, "loss": out.loss})


@form
def mae_hf(folder):
    model = hf_autoencoder()
    model.save_pretrained(folder)
    run_hf_autoencoder(model, folder)


@form
def mae_hf_memory(folder):
    model = hf_autoencoder()
    model.config.save_pretrained(folder)
    save_tensors({k: v.contiguous() for k, v in model.state_dict().items()}, os.path.join(folder, "model.safetensors"))
    run_hf_autoencoder(model, folder)


def make(name, folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    torch.manual_seed(1 + list(forms).index(name))
    with torch.no_grad():
        forms[name](folder)
    for f in os.listdir(folder):
        os.chmod(os.path.join(folder, f), 0o644)
    return {f: os.path.getsize(os.path.join(folder, f)) for f in sorted(os.listdir(folder))}


if __name__ == "__main__":
    if sys.argv[1] == "-golden":
        for name in sorted(kept):
            print(name, make(name, golden("models/mae" if name.startswith("mae") else "models/vit", name)))
    else:
        for name in sys.argv[2:] or forms:
            print(name, make(name, os.path.join(sys.argv[1], name)))
