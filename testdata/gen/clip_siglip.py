"""Writes small random SigLIP models of transformers, with outputs and gradients.

    python clip_siglip.py

For each model, save_pretrained writes the folder. golden.safetensors in it holds pixels, ids, embeddings, logits, the
loss and the gradient of each parameter, with the parameter's name on disk:

    models/clip/testdata/siglip/    SiglipModel: images of 19 with patches of 8, texts whose features have another width
    models/clip/testdata/naflex/    Siglip2Model: patches of three images of other proportions, padded

Versions: requirements.txt. Seeds are in each golden's metadata.
"""

import torch
from transformers import Siglip2Config, Siglip2Model, SiglipConfig, SiglipModel

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


if __name__ == "__main__":
    siglip(61)
    naflex(62)
