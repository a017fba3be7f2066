"""Writes small random DETR and YOLOS models of transformers, with outputs, losses, gradients and detections.

    python detect_detr.py OUT       OUT/NAME, a folder, and OUT/NAME.safetensors for every form; OUT/original.pth and
                                    OUT/yolos_original.pth, the forms dc5 and yolos_square under the names of the papers' code
    python detect_detr.py counts    the numbers of parameters of the released configurations, as JSON
    python detect_detr.py check (FOLDER OUTPUTS)...   loads folders that Fovea saved, and compares outputs and pixels

The .safetensors file holds

    image.I                    an image, [height, width, 3], of samples 0 to 255
    pixels, sizes              the batch of all images, and their sizes in it; pixels.I is an image alone
    encoder, decoder           the last hidden states of the batch; of YOLOS the first only
    logits, boxes              of the batch, and logits.I, boxes.I of each image alone
    alone.I.boxes ...          the detections in each image alone, with scores above 0.3
    truth.I, classes.I         the objects in image I of the batch, for the losses: boxes in shares of the image
    loss, loss.NAME, grad/NAME the losses in training, and the gradients of their sum

Versions: requirements.txt. Seeds are in each golden's metadata.
"""

import argparse
import json
import sys

import torch
import transformers as tr
from safetensors.torch import load_file, save_file

from backbone import randomize

torch.set_num_threads(1)
SIZES = ((70, 100), (120, 64))
LABELS = {i: name for i, name in enumerate(["N/A", "cat", "dog", "owl", "car"])}
RESNET = dict(embedding_size=8, hidden_sizes=[8, 12, 16, 24], depths=[1, 2, 1, 1], layer_type="basic", out_features=["stage4"])
DETR = dict(
    d_model=16, encoder_layers=2, decoder_layers=3, encoder_attention_heads=4, decoder_attention_heads=2, encoder_ffn_dim=24,
    decoder_ffn_dim=20, num_queries=7, dropout=0.0, id2label=LABELS, attn_implementation="eager",
)
YOLOS = dict(
    hidden_size=24, num_hidden_layers=3, num_attention_heads=3, intermediate_size=40, num_detection_tokens=9, id2label=LABELS,
    attn_implementation="eager",
)
FORMS = {
    "detr": lambda: tr.DetrForObjectDetection(tr.DetrConfig(backbone_config=tr.ResNetConfig(**RESNET), **DETR)),
    "auxiliary": lambda: tr.DetrForObjectDetection(
        tr.DetrConfig(backbone_config=tr.ResNetConfig(**RESNET | dict(layer_type="bottleneck")), auxiliary_loss=True, eos_coefficient=0.3, bbox_loss_coefficient=2, **DETR)
    ),
    "dc5": lambda: tr.DetrForObjectDetection(tr.DetrConfig(use_timm_backbone=True, backbone="resnet18", use_pretrained_backbone=False, dilation=True, **DETR | dict(encoder_attention_heads=2))),
    "yolos": lambda: tr.YolosForObjectDetection(tr.YolosConfig(image_size=[48, 96], **YOLOS)),
    "yolos_square": lambda: tr.YolosForObjectDetection(
        tr.YolosConfig(image_size=[64, 64], layer_norm_eps=1e-6, **YOLOS | dict(hidden_size=128, num_attention_heads=2, num_hidden_layers=2))),
    "yolos_plain": lambda: tr.YolosForObjectDetection(tr.YolosConfig(image_size=[40, 70], use_mid_position_embeddings=False, qkv_bias=False, **YOLOS)),
}


def make(name, out):
    seed = 1 + list(FORMS).index(name)
    torch.manual_seed(seed)
    model = FORMS[name]().eval()
    randomize(model)
    detr = name in ("detr", "auxiliary", "dc5")
    with torch.no_grad():
        for n, b in model.named_buffers():  # of frozen norms
            if b.is_floating_point() and n.endswith((".weight", ".bias")):
                b.add_(torch.randn_like(b) * 0.2)
        head = model.class_labels_classifier
        (head if detr else head.layers[-1]).weight.mul_(3)
    size = {"shortest_edge": 60, "longest_edge": 90}
    processor = (tr.DetrImageProcessor if detr else tr.YolosImageProcessor)(size=size)
    model.save_pretrained(f"{out}/{name}")
    processor.save_pretrained(f"{out}/{name}")
    if name == "auxiliary":  # the names in memory
        import os
        os.remove(f"{out}/{name}/model.safetensors")
        torch.save(model.state_dict(), f"{out}/{name}/pytorch_model.bin")
    if name == "dc5":
        original(model, f"{out}/original.pth")
    if name == "yolos_square":
        original_yolos(model, f"{out}/yolos_original.pth")

    images = [torch.randint(0, 256, (h, w, 3)) for h, w in SIZES]
    images = [torch.nn.functional.avg_pool2d(i.permute(2, 0, 1).float(), 5, 1, 2).round().permute(1, 2, 0).to(torch.uint8) for i in images]
    tensors = {f"image.{i}": v.float() for i, v in enumerate(images)}
    for i, image in enumerate(images):
        x = processor(image.numpy(), return_tensors="pt")
        with torch.no_grad():
            y = model(**x if detr else dict(pixel_values=x["pixel_values"]))
        found = processor.post_process_object_detection(y, threshold=0.3, target_sizes=[tuple(image.shape[:2])])[0]
        tensors |= {f"pixels.{i}": x["pixel_values"], f"logits.{i}": y.logits, f"boxes.{i}": y.pred_boxes}
        tensors |= {f"alone.{i}.{k}": v.float() for k, v in found.items()}
    x = processor([i.numpy() for i in images], return_tensors="pt")
    if name == "yolos_plain":  # no multiples of the patch
        x = {"pixel_values": torch.nn.functional.pad(x["pixel_values"], (0, 5, 0, 11), value=0.5)}
    tensors["pixels"] = x["pixel_values"]
    if detr:
        mask = x["pixel_mask"]
        tensors["sizes"] = torch.stack([mask[:, :, 0].sum(1), mask[:, 0].sum(1)], 1)
    labels = [dict(class_labels=torch.tensor([1, 2, 4]), boxes=torch.tensor([[0.3, 0.4, 0.2, 0.5], [0.6, 0.5, 0.7, 0.6], [0.8, 0.2, 0.05, 0.03]])),
              dict(class_labels=torch.tensor([3]), boxes=torch.tensor([[0.45, 0.5, 0.8, 0.9]]))]
    tensors |= {f"truth.{i}": v["boxes"] for i, v in enumerate(labels)} | {f"classes.{i}": v["class_labels"] for i, v in enumerate(labels)}
    for p in model.parameters():
        p.requires_grad_(True)
    inputs = dict(pixel_values=x["pixel_values"]) | (dict(pixel_mask=mask) if detr else {})
    model.train()  # without dropout, and with frozen norms
    y = model(**inputs, labels=labels)
    y.loss.backward()
    tensors |= {"logits": y.logits, "boxes": y.pred_boxes, "loss": y.loss}
    tensors |= {"encoder": y.encoder_last_hidden_state, "decoder": y.last_hidden_state} if detr else {"encoder": y.last_hidden_state}
    tensors |= {f"loss.{k}": v for k, v in y.loss_dict.items()}
    if name != "dc5":  # its gradients are many
        tensors |= {"grad/" + n: p.grad for n, p in model.named_parameters()}
        tensors |= {"grad/" + n: torch.zeros_like(b) for n, b in model.named_buffers() if n.endswith((".weight", ".bias"))}
    count = sum(v.numel() for k, v in model.state_dict().items() if "running" not in k and "num_batches" not in k)
    tensors["parameters"] = torch.tensor(float(count))
    save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()}, f"{out}/{name}.safetensors",
              metadata={"script": "detect_detr.py", "seed": str(seed), "versions": f"torch {torch.__version__}, transformers {tr.__version__}"})


def original(model, path):
    """Writes a model under the names of the paper's code, as its training program does."""
    state, named = model.state_dict(), {}
    for k, v in state.items():
        for a, b in (
            ("model.backbone.model.", "backbone.0.body."), ("model.encoder.", "transformer.encoder."), ("model.decoder.", "transformer.decoder."),
            ("encoder_attn_layer_norm", "norm2"), ("encoder_attn", "multihead_attn"), ("self_attn_layer_norm", "norm1"),
            ("final_layer_norm", "norm3" if "decoder" in k else "norm2"), ("o_proj", "out_proj"), ("mlp.fc", "linear"), ("decoder.layernorm", "decoder.norm"),
            ("model.input_projection", "input_proj"), ("model.query_position_embeddings", "query_embed"),
            ("class_labels_classifier", "class_embed"), ("bbox_predictor", "bbox_embed"),
        ):
            k = k.replace(a, b)
        named[k] = v
    for k in [k for k in named if "q_proj" in k]:
        parts = [named.pop(k.replace("q_proj", p)) for p in ("q_proj", "k_proj", "v_proj")]
        named[k.replace("q_proj.", "in_proj_")] = torch.cat(parts)
    torch.save({"model": named, "args": argparse.Namespace(nheads=2, dilation=True, masks=False, pre_norm=False, position_embedding="sine", lr=1e-4)}, path)


def original_yolos(model, path):
    """Writes a YOLOS under the names of hustvl/YOLOS: the inverse of transformers' own conversion script."""
    named = {}
    for k, v in model.state_dict().items():
        for a, b in (
            ("vit.embeddings.cls_token", "backbone.cls_token"), ("vit.embeddings.detection_tokens", "backbone.det_token"),
            ("vit.embeddings.position_embeddings", "backbone.pos_embed"), ("vit.embeddings.patch_embeddings.projection", "backbone.patch_embed.proj"),
            ("vit.interpolation.mid_position_embeddings", "backbone.mid_pos_embed"), ("vit.encoder.mid_position_embeddings", "backbone.mid_pos_embed"),
            ("vit.encoder.interpolation.mid_position_embeddings", "backbone.mid_pos_embed"),
            ("vit.encoder.layer.", "backbone.blocks."), ("vit.layers.", "backbone.blocks."), ("vit.layernorm", "backbone.norm"),
            ("layernorm_before", "norm1"), ("layernorm_after", "norm2"), ("attention.output.dense", "attn.proj"), ("attention.o_proj", "attn.proj"),
            ("attention.attention.", "attn."), ("attention.q_proj", "attn.query"), ("attention.k_proj", "attn.key"), ("attention.v_proj", "attn.value"),
            ("intermediate.dense", "mlp.fc1"), ("output.dense", "mlp.fc2"),
            ("class_labels_classifier", "class_embed"), ("bbox_predictor", "bbox_embed"),
        ):
            k = k.replace(a, b)
        named[k] = v
    for k in [k for k in named if "attn.query" in k]:
        parts = [named.pop(k.replace("query", p)) for p in ("query", "key", "value")]
        named[k.replace("query", "qkv")] = torch.cat(parts)
    assert all(k.startswith(("backbone.", "class_embed.", "bbox_embed.")) for k in named), sorted(named)
    torch.save({"model": named}, path)


def counts():
    def count(cls, config):
        with torch.device("meta"):
            model = cls(config)
        return sum(v.numel() for k, v in model.state_dict().items() if "running" not in k and "num_batches" not in k)
    ids = {i: str(i) for i in range(91)}
    of = {"detr-resnet-50": ("resnet50", False), "detr-resnet-101": ("resnet101", False), "detr-resnet-50-dc5": ("resnet50", True)}
    out = {k: count(tr.DetrForObjectDetection, tr.DetrConfig(backbone=b, use_timm_backbone=True, use_pretrained_backbone=False, dilation=d, id2label=ids)) for k, (b, d) in of.items()}
    for k, (width, heads, size, mid) in {"yolos-tiny": (192, 3, [800, 1333], False), "yolos-small": (384, 6, [512, 864], True), "yolos-base": (768, 12, [800, 1344], True)}.items():
        config = tr.YolosConfig(hidden_size=width, num_attention_heads=heads, intermediate_size=4 * width, image_size=size, use_mid_position_embeddings=mid, id2label=ids)
        out[k] = count(tr.YolosForObjectDetection, config)
    return out


def check(folder, outputs):
    """Compares a saved folder's outputs, and the pixels that its processor makes of an image, with Fovea's."""
    theirs = load_file(outputs)
    processor = tr.AutoImageProcessor.from_pretrained(folder)
    model, info = tr.AutoModelForObjectDetection.from_pretrained(folder, output_loading_info=True)
    for key in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info[key]:
            sys.exit(f"{folder}: {key}: {sorted(info[key])}")
    x = processor(theirs["image"].to(torch.uint8).numpy(), return_tensors="pt")
    with torch.no_grad():
        y = model.eval()(x["pixel_values"])
    processor.post_process_object_detection(y, threshold=0.3)
    for name, got in (("pixels", x["pixel_values"]), ("logits", y.logits), ("boxes", y.pred_boxes)):
        want = theirs[name]
        if got.shape != want.shape or (got - want).abs().max() > 1e-4 * max(1, got.square().mean().sqrt()):
            sys.exit(f"{folder}: {name} differ: {tuple(got.shape)}, {(got - want).abs().max() if got.shape == want.shape else tuple(want.shape)}")
    names = [model.config.id2label[i] for i in range(len(model.config.id2label))]
    print(json.dumps({"labels": names, "type": type(processor).__name__}))


if sys.argv[1] == "counts":
    print(json.dumps(counts()))
elif sys.argv[1] == "check":
    for at in range(2, len(sys.argv), 2):
        check(*sys.argv[at : at + 2])
else:
    for form in FORMS:
        make(form, sys.argv[1])
