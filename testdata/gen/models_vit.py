"""Writes small random ViT and ViTMAE models of transformers, with outputs and gradients.

    python models_vit.py

For each model, save_pretrained writes the folder. golden.safetensors in it holds pixels, outputs, losses and the
gradient of each parameter, with the parameter's name on disk:

    models/vit/testdata/{tiny,odd}/     ViTForImageClassification
    models/mae/testdata/{tiny,raw}/     ViTMAEForPreTraining, with and without norm_pix_loss

Versions: requirements.txt. Seeds are in each golden's metadata.
"""

import os

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file
from safetensors.torch import load_file
from transformers import ViTConfig, ViTForImageClassification, ViTMAEConfig, ViTMAEForPreTraining

from opcases import golden

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


def array(x):
    return np.ascontiguousarray(x.detach().numpy().astype(np.float32))


def randomize(model):
    """Gives every parameter a random value. New models have zero biases, which would hide mistakes."""
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        with torch.no_grad():
            p.copy_(p + torch.randn_like(p) * (0.2 if p.ndim > 1 else 0.1))


def disk_gradients(model, folder):
    """Returns the gradients, with the names that save_pretrained gives the parameters."""
    for p in model.parameters():
        p.data, p.grad = (p.grad if p.grad is not None else torch.zeros_like(p)).clone(), None
    model.save_pretrained(folder)
    grads = load_file(os.path.join(folder, "model.safetensors"))
    for f in os.listdir(folder):
        os.remove(os.path.join(folder, f))
    os.rmdir(folder)
    return {f"grad/{k}": array(v).reshape(v.shape) for k, v in grads.items()}


def finish(model, folder, tensors, seed, script="models_vit.py"):
    os.makedirs(folder, exist_ok=True)
    model.save_pretrained(folder)
    tensors |= disk_gradients(model, folder + "_gradients")
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    save_file(tensors, os.path.join(folder, "golden.safetensors"),
              metadata={"script": script, "versions": versions, "seed": str(seed)})
    print(folder, sorted(os.listdir(folder)))


def vit(name, seed, **config):
    torch.manual_seed(seed)
    c = ViTConfig(num_labels=5, attn_implementation="eager", **config)
    model = ViTForImageClassification(c).eval()
    randomize(model)
    pixels = torch.randn(3, c.num_channels, c.image_size, c.image_size)
    labels = torch.tensor([4, 0, 2])
    logits = model(pixels).logits
    loss = torch.nn.functional.cross_entropy(logits, labels)
    loss.backward()
    tensors = {"pixels": array(pixels), "logits": array(logits), "loss": array(loss),
               "labels": labels.numpy()}
    wide = torch.randn(1, c.num_channels, c.image_size, 2 * c.image_size)
    with torch.no_grad():
        tensors["wide/pixels"] = array(wide)
        tensors["wide/logits"] = array(model(wide, interpolate_pos_encoding=True).logits)
    finish(model, golden("models/vit", name), tensors, seed)


def sincos(dim, side):
    """Returns MAE's fixed positions, computed in float64: a zero row for the class token, then a row for each patch in
    row-major order. The first half of a row encodes the column, the second half the row, each as sines then cosines."""
    omega = 1.0 / 10000 ** (np.arange(dim // 4) / (dim // 4))
    y, x = np.divmod(np.arange(side * side), side)
    halves = [np.concatenate([np.sin(np.outer(p, omega)), np.cos(np.outer(p, omega))], axis=1) for p in (x, y)]
    return torch.from_numpy(np.concatenate([np.zeros((1, dim)), np.concatenate(halves, axis=1)])[None]).float()


def mae(name, seed, norm_pix):
    torch.manual_seed(seed)
    c = ViTMAEConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
                     image_size=24, patch_size=6, decoder_hidden_size=24, decoder_num_hidden_layers=2,
                     decoder_num_attention_heads=3, decoder_intermediate_size=40, norm_pix_loss=norm_pix,
                     attn_implementation="eager")
    model = ViTMAEForPreTraining(c).eval()
    randomize(model)
    # transformers 5.23 leaves the positions of a new model at zero. Released files hold these values.
    model.vit.embeddings.position_embeddings.data = sincos(c.hidden_size, 4)
    model.decoder.decoder_pos_embed.data = sincos(c.decoder_hidden_size, 4)
    pixels = torch.randn(3, 3, 24, 24)
    noise = torch.rand(3, 16)
    out = model(pixels, noise=noise)
    out.loss.backward()
    tensors = {"pixels": array(pixels), "noise": array(noise), "logits": array(out.logits),
               "loss": array(out.loss), "mask": array(out.mask)}
    finish(model, golden("models/mae", name), tensors, seed)


if __name__ == "__main__":
    vit("tiny", 11, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        image_size=24, patch_size=8)
    vit("odd", 12, hidden_size=30, num_hidden_layers=3, num_attention_heads=5, intermediate_size=37, image_size=15,
        patch_size=5, num_channels=1, qkv_bias=False, hidden_act="gelu_new", layer_norm_eps=1e-6)
    mae("tiny", 13, True)
    mae("raw", 14, False)
