"""Writes examples/inspect/testdata/families.json: the tensor names and shapes of small models.

    python testdata/gen/families.py               # run it in the module's root

There is one small model for each family that examples/inspect recognizes, made by the library that defines the names.
Most have two blocks of width 32; the width is 64 where the reference fixes the width of a head. The file holds no
values, so the seed does not matter.
"""

import json
import os
import tempfile

import timm
import torch
import torchvision
import transformers as tr
from safetensors import safe_open

VIT = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=32, patch_size=16)
TEXT = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, vocab_size=99, max_position_embeddings=16)


def shapes(state):
    return {name: list(v.shape) for name, v in state.items()}


def disk(model):
    """The tensors of a model with the names that transformers writes to disk."""
    with tempfile.TemporaryDirectory() as d:
        model.save_pretrained(d)
        with safe_open(os.path.join(d, "model.safetensors"), "pt") as f:
            return {name: list(f.get_slice(name).get_shape()) for name in f.keys()}


def vit(name, **options):
    """A small timm model."""
    return shapes(timm.create_model(name, img_size=32, embed_dim=32, depth=2, num_heads=2, num_classes=5, **options).state_dict())


def meta_mae():
    """The names in models_mae.py of facebookresearch/mae: timm's blocks, in the encoder and the decoder."""
    t = vit("vit_base_patch16_224")
    encoder = {n: s for n, s in t.items() if not n.startswith("head")}
    decoder = {"decoder_" + n: s for n, s in t.items() if n.startswith("blocks.1.") or n.startswith("norm.")}
    decoder = {n.replace("blocks.1", "blocks.0"): s for n, s in decoder.items()}
    return encoder | decoder | {
        "mask_token": [1, 1, 32], "decoder_pos_embed": [1, 5, 32], "decoder_embed.weight": [32, 32], "decoder_embed.bias": [32],
        "decoder_pred.weight": [768, 32], "decoder_pred.bias": [768]}


def openai_clip():
    """The names in model.py of openai/CLIP, which open_clip keeps: 1 text block of width 64, 2 vision blocks of 128."""
    t = {"positional_embedding": [77, 64], "text_projection": [64, 32], "logit_scale": [], "token_embedding.weight": [99, 64],
         "ln_final.weight": [64], "ln_final.bias": [64], "visual.class_embedding": [128], "visual.positional_embedding": [5, 128],
         "visual.proj": [128, 32], "visual.conv1.weight": [128, 3, 16, 16], "visual.ln_pre.weight": [128], "visual.ln_pre.bias": [128],
         "visual.ln_post.weight": [128], "visual.ln_post.bias": [128]}
    for stem, depth, w in (("", 1, 64), ("visual.", 2, 128)):
        for i in range(depth):
            b = f"{stem}transformer.resblocks.{i}."
            t |= {b + "attn.in_proj_weight": [3 * w, w], b + "attn.in_proj_bias": [3 * w], b + "attn.out_proj.weight": [w, w],
                  b + "attn.out_proj.bias": [w], b + "ln_1.weight": [w], b + "ln_1.bias": [w], b + "ln_2.weight": [w], b + "ln_2.bias": [w],
                  b + "mlp.c_fc.weight": [4 * w, w], b + "mlp.c_fc.bias": [4 * w], b + "mlp.c_proj.weight": [w, 4 * w], b + "mlp.c_proj.bias": [w]}
    return t


def original_blip(hub):
    """The names of salesforce/BLIP: timm's vision tower, and Hugging Face's text model."""
    t = {"visual_encoder." + n: s for n, s in vit("vit_base_patch16_224").items() if not n.startswith("head")}
    return t | {n: s for n, s in hub.items() if n.startswith("text_decoder.")}


def unilm_beit():
    """The names of BEiT in microsoft/unilm: timm's, with a relative position bias in each block."""
    return vit("beit_base_patch16_224")


def families():
    clip = dict(text_config=TEXT | dict(eos_token_id=2), vision_config=VIT, projection_dim=16)
    blip = tr.BlipForConditionalGeneration(tr.BlipConfig(text_config=TEXT | dict(encoder_hidden_size=32), vision_config=VIT, projection_dim=16))
    hub_vit = tr.ViTForImageClassification(tr.ViTConfig(**VIT, num_labels=5))
    blip = disk(blip)
    resnet = torchvision.models.resnet18(num_classes=5)
    return {
        "ViT (timm, original)": vit("vit_base_patch16_224"),
        "ViT (Hugging Face)": disk(hub_vit),
        "ViT (transformers 5 in memory)": shapes(hub_vit.state_dict()),
        "DeiT (timm, original)": vit("deit_base_distilled_patch16_224"),
        "DeiT (Hugging Face)": disk(tr.DeiTForImageClassificationWithTeacher(tr.DeiTConfig(**VIT, num_labels=5))),
        "DINOv2 (Hugging Face)": disk(tr.Dinov2Model(tr.Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=16))),
        "DINOv2 with registers (Hugging Face)": disk(tr.Dinov2WithRegistersForImageClassification(tr.Dinov2WithRegistersConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=16, num_labels=5))),
        "DINOv3 (Hugging Face)": disk(tr.DINOv3ViTModel(tr.DINOv3ViTConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=32, patch_size=16, num_register_tokens=4))),
        "MAE with decoder (original)": meta_mae(),
        "MAE with decoder (Hugging Face)": disk(tr.ViTMAEForPreTraining(tr.ViTMAEConfig(**VIT, decoder_hidden_size=32, decoder_num_hidden_layers=1, decoder_num_attention_heads=2, decoder_intermediate_size=64))),
        "BEiT (timm, original)": unilm_beit(),
        "BEiT (Hugging Face)": disk(tr.BeitForImageClassification(tr.BeitConfig(**VIT, num_labels=5, use_relative_position_bias=True, layer_scale_init_value=0.1))),
        "CLIP (OpenAI, open_clip)": openai_clip(),
        "CLIP (Hugging Face)": disk(tr.CLIPModel(tr.CLIPConfig(**clip))),
        "SigLIP (Hugging Face)": disk(tr.SiglipModel(tr.SiglipConfig(text_config=TEXT, vision_config=VIT))),
        "BLIP (Hugging Face)": blip,
        "BLIP (original)": original_blip(blip),
        "BERT or RoBERTa (Hugging Face)": disk(tr.BertForMaskedLM(tr.BertConfig(**TEXT))),
        "DistilBERT (Hugging Face)": disk(tr.DistilBertModel(tr.DistilBertConfig(dim=32, n_layers=2, n_heads=2, hidden_dim=64, vocab_size=99))),
        "ResNet (torchvision, timm)": shapes(resnet.state_dict()),
        "ResNet (Hugging Face)": disk(tr.ResNetForImageClassification(tr.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], num_labels=5))),
        "Faster R-CNN or Mask R-CNN (torchvision)": shapes(torchvision.models.detection.fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=5).state_dict()),
        "RetinaNet or FCOS (torchvision)": shapes(torchvision.models.detection.retinanet_resnet50_fpn(weights=None, weights_backbone=None, num_classes=5).state_dict()),
        "SSD (torchvision)": shapes(torchvision.models.detection.ssd300_vgg16(weights=None, weights_backbone=None, num_classes=5).state_dict()),
        "Swin (timm, original)": shapes(timm.create_model("swin_tiny_patch4_window7_224", embed_dim=12, depths=(1, 1), num_heads=(2, 2), num_classes=5).state_dict()),
        "ConvNeXt (timm)": shapes(timm.create_model("convnext_atto", depths=(1, 1, 1, 1), num_classes=5).state_dict()),
    }


def main():
    torch.manual_seed(1)
    out = families()
    with open("examples/inspect/testdata/families.json", "w") as f:
        f.write("{\n" + ",\n".join(json.dumps(k) + ": {\n" + ",\n".join("  " + json.dumps(n) + ": " + json.dumps(s) for n, s in v.items()) + "\n}" for k, v in out.items()) + "\n}\n")
    print({k: len(v) for k, v in out.items()}, f"timm {timm.__version__}, torch {torch.__version__}, transformers {tr.__version__}")


main()
