"""Writes small random RT-DETR models of transformers, of both versions, with outputs, losses, gradients and detections.

    python detect_rtdetr.py                   the golden models/detect/testdata/rtdetr, of the form golden, without gradients
    python detect_rtdetr.py OUT               OUT/NAME and OUT/NAME.safetensors for every other form. Prints the numbers of parameters
                                              of transformers' own models, as JSON
                                              Also OUT/original_1.pth and _2.pth, under the names of lyuwenyu/RT-DETR, and their outputs
                                              in OUT/original_1.tensors and _2.tensors
    python detect_rtdetr.py check FOLDER...   loads folders that Fovea saved, beside each of which is FOLDER.safetensors

The .safetensors file holds

    pixels.S, hidden.S.I, logits.S.I, boxes.S.I      a batch of a size, and the outputs of each block
    levels.S.I, place_logits.S, place_boxes.S        the levels of the encoder, and the predictions at the chosen places
    image.I, found.I.boxes, scores, labels           images, and the detections in them
    truth.I.boxes, classes                           the objects in each image of pixels.0, in pixels
    noise.keep, class, sign, size                    the random numbers of noisy objects
    loss.NAME, grad/NAME                             the losses in training, and the gradients of their sum
    eval_loss                                        the sum of the losses in inference
    parameters                                       the number of parameters

Versions: requirements.txt. Seeds are in each golden's metadata.
"""

import json
import logging
import os
import re
import sys

import torch
import transformers as tr
from safetensors.torch import load_file, save_file

torch.set_num_threads(1)
logging.disable(logging.WARNING)
tr.utils.logging.disable_progress_bar()

BASIC = dict(embedding_size=8, hidden_sizes=[8, 12, 16, 20], depths=[1, 2, 1, 1], layer_type="basic", out_indices=[2, 3, 4])
BOTTLENECK = dict(embedding_size=8, hidden_sizes=[12, 16, 24, 32], depths=[2, 1, 1, 1], layer_type="bottleneck", out_indices=[2, 3, 4])
SMALL = dict(encoder_hidden_dim=32, d_model=32, encoder_in_channels=[12, 16, 20], decoder_in_channels=[32, 32, 32], encoder_ffn_dim=48,
             decoder_ffn_dim=40, decoder_layers=3, encoder_attention_heads=4, decoder_attention_heads=4, num_queries=12, num_denoising=20, num_labels=5)

FORMS = {
    "v1_basic": (1, BASIC, dict(hidden_expansion=0.5)),
    "v1_bottleneck": (1, BOTTLENECK | dict(downsample_in_bottleneck=True, hidden_act="silu"), dict(
        encoder_in_channels=[16, 24, 32], normalize_before=True, num_feature_levels=4, encode_proj_layers=[1, 2], encoder_layers=2,
        encoder_activation_function="relu", activation_function="gelu", decoder_activation_function="silu", decoder_n_points=3,
        freeze_backbone_batch_norms=False, use_focal_loss=False, layer_norm_eps=1e-4, batch_norm_eps=1e-3, positional_encoding_temperature=200,
        matcher_class_cost=1.5, matcher_bbox_cost=3.0, matcher_giou_cost=1.0, weight_loss_vfl=0.7, weight_loss_bbox=2.0, weight_loss_giou=1.5,
        focal_loss_alpha=0.6, focal_loss_gamma=1.5, label_noise_ratio=0.0, feat_strides=[8, 16, 32, 64], anchor_image_size=[64, 128])),
    "v2": (2, BASIC, dict(decoder_offset_scale=0.7, encoder_hidden_dim=40, decoder_in_channels=[40, 40, 40], matcher_alpha=0.4, matcher_gamma=1.5,
                          box_noise_scale=0.4, num_denoising=3)),
    "v2_discrete": (2, BOTTLENECK | dict(out_indices=[3, 4], downsample_in_first_stage=True), dict(
        encoder_in_channels=[24, 32], decoder_in_channels=[32, 32], num_feature_levels=2, decoder_n_levels=2, encode_proj_layers=[0],
        decoder_method="discrete", auxiliary_loss=False, num_denoising=0, eval_size=64, num_queries=5, encoder_layers=1)),
}
GOLDEN = (2, dict(embedding_size=4, hidden_sizes=[4, 6, 8, 12], depths=[1, 1, 1, 1], layer_type="basic", out_indices=[2, 3, 4]), dict(
    encoder_hidden_dim=8, d_model=8, encoder_in_channels=[6, 8, 12], decoder_in_channels=[8, 8, 8], encoder_ffn_dim=12, decoder_ffn_dim=12,
    decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2, num_queries=12, num_denoising=6, num_labels=3,
    decoder_n_points=2, hidden_expansion=0.5))


def classes(version):
    return (tr.RTDetrConfig, tr.RTDetrForObjectDetection) if version == 1 else (tr.RTDetrV2Config, tr.RTDetrV2ForObjectDetection)


def build(version, body, changes):
    config, model = classes(version)
    return model(config(backbone_config=tr.RTDetrResNetConfig(**body), **{**SMALL, **changes}))


def randomize(model):
    with torch.no_grad():
        for name, p in [*model.named_parameters(), *model.named_buffers()]:
            if not p.is_floating_point() or name.endswith("n_points_scale"):
                continue
            if name.endswith("running_var"):
                p.copy_(torch.rand_like(p) + 0.5)
            elif p.ndim == 1:
                p.copy_(torch.randn_like(p) * 0.2 + (1 if name.endswith("weight") else 0))
            elif "sampling_offsets" in name or "class_embed" in name or "enc_score_head" in name:
                p.copy_(torch.randn_like(p) * 0.3)
            else:
                p.copy_(torch.randn_like(p) * (1.5 / p[0].numel()) ** 0.5)


def outputs(model, pixels, size, tensors):
    with torch.no_grad():
        inner = model.model(pixels)
    tensors[f"pixels.{size}"] = pixels
    for i in range(model.config.decoder_layers):
        tensors[f"hidden.{size}.{i}"] = inner.intermediate_hidden_states[:, i]
        tensors[f"logits.{size}.{i}"] = inner.intermediate_logits[:, i]
        tensors[f"boxes.{size}.{i}"] = inner.intermediate_reference_points[:, i]
    for i, level in enumerate(inner.encoder_last_hidden_state):
        tensors[f"levels.{size}.{i}"] = level
    tensors[f"place_logits.{size}"], tensors[f"place_boxes.{size}"] = inner.enc_topk_logits, inner.enc_topk_bboxes


def training(model, pixels, tensors):
    h, w = pixels.shape[2:]
    corners = [torch.tensor([[8.0, 4, 40, 36], [30, 20, 70, 60], [2, 30, 20, 50]]), torch.tensor([[10.0, 10, 60, 40]])]
    kinds = [k % model.config.num_labels for k in (torch.tensor([1, 4, 0]), torch.tensor([2]))]
    corners = [b * h / 64 for b in corners]
    labels = []
    for i, (b, k) in enumerate(zip(corners, kinds)):
        tensors[f"truth.{i}.boxes"], tensors[f"truth.{i}.classes"] = b, k
        center = torch.cat([(b[:, :2] + b[:, 2:]) / 2, b[:, 2:] - b[:, :2]], 1) / torch.tensor([w, h, w, h])
        labels.append({"class_labels": k, "boxes": center})
    with torch.no_grad():
        tensors["eval_loss"] = model(pixels, labels=labels).loss.reshape(1)
    model.train()
    drawn = []
    real = torch.rand_like, torch.randint_like

    def rand_like(x, **kw):
        drawn.append(real[0](x, **kw))
        return drawn[-1]

    def randint_like(x, low, high, **kw):
        drawn.append(real[1](x if x.is_floating_point() else x.float(), low, high, dtype=kw.get("dtype", torch.float)))
        return drawn[-1]

    torch.rand_like, torch.randint_like = rand_like, randint_like
    out = model(pixels, labels=labels)
    torch.rand_like, torch.randint_like = real
    if len(drawn) == 2:  # without new labels
        drawn = [torch.ones(drawn[0].shape[:2]), torch.zeros(drawn[0].shape[:2]), *drawn]
    if drawn:
        drawn[1] = (drawn[1].float() + 0.5) / model.config.num_labels
        for name, x in zip(("keep", "class", "sign", "size"), drawn):
            tensors["noise." + name] = x.float()
    for name, value in out.loss_dict.items():
        tensors["loss." + name] = value.reshape(1)
    tensors["loss"] = out.loss.reshape(1)
    out.loss.backward()
    for name, p in model.named_parameters():
        if p.grad is not None:
            tensors["grad/" + name] = p.grad
    for name, b in model.named_buffers():  # gains and biases of frozen norms
        if name.endswith(("weight", "bias")):
            tensors["grad/" + name] = torch.zeros_like(b)
    model.eval()


def make(out, form, seed, gradients=True):
    version, body, changes = form
    torch.manual_seed(seed)
    model = build(version, body, changes).eval()
    randomize(model)
    tensors = {"parameters": torch.tensor([float(sum(p.numel() for p in {id(p): p for p in model.parameters()}.values()))])}
    sizes = [(64, 96), (90, 59), (32, 416)]  # the last has places near the border
    if model.config.anchor_image_size:
        sizes = [(64, 128)]
    if body.get("downsample_in_first_stage"):
        sizes = [(64, 128), (120, 59)]
    shapes = ((50, 70), (120, 64))
    if not gradients:
        sizes, shapes = [(32, 64)], ((20, 30), (33, 16))
    for size, (h, w) in enumerate(sizes):
        outputs(model, torch.rand(2 if size == 0 else 1, 3, h, w), size, tensors)
    images = [torch.randint(0, 256, (h, w, 3), dtype=torch.uint8) for h, w in shapes]
    processor = tr.RTDetrImageProcessor(size=dict(zip(("height", "width"), sizes[0])))
    inputs = processor([i.numpy() for i in images], return_tensors="pt")
    with torch.no_grad():
        predicted = model(**inputs)
    if not model.config.use_focal_loss:  # the processor takes the softmax over the batch, so it gets logits whose sigmoids are scores
        p = predicted.logits.softmax(-1)
        best = torch.nn.functional.one_hot(p[..., :-1].argmax(-1), p.shape[-1])
        predicted.logits = torch.logit((p * best).clamp(min=1e-9))
    found = processor.post_process_object_detection(predicted, threshold=0.02, target_sizes=[i.shape[:2] for i in images])
    for i, f in enumerate(found):
        tensors[f"image.{i}"] = images[i].float()
        tensors |= {f"found.{i}.{k}": v.float() for k, v in f.items()}
    model.save_pretrained(out)
    processor.save_pretrained(out)
    training(model, tensors["pixels.0"], tensors)  # which changes running statistics
    meta = {"script": "detect_rtdetr.py", "versions": f"torch {torch.__version__}, transformers {tr.__version__}", "seed": str(seed)}
    kept = {k: v.detach().float().contiguous() for k, v in tensors.items() if gradients or not k.startswith("grad/")}
    save_file(kept, out + ".safetensors", metadata=meta)


def original(version, out):
    """Writes a model under the names of the paper's code, the inverse of transformers' own conversion scripts, and its outputs."""
    torch.manual_seed(20 + version)
    body = BASIC if version == 1 else BOTTLENECK
    model = build(version, body, dict(
        hidden_expansion=0.5 if version == 1 else 1.0, num_queries=300, encoder_attention_heads=8, decoder_attention_heads=8, decoder_layers=2,
        encoder_in_channels=body["hidden_sizes"][1:], num_denoising=100 if version == 1 else 0, decoder_n_points=4 if version == 1 else 3)).eval()
    randomize(model)
    named = {}
    for k, v in model.state_dict().items():
        if k.startswith(("class_embed", "bbox_embed")):  # copies
            continue
        k = re.sub(r"^model\.backbone\.model\.embedder\.embedder\.(\d)", lambda m: f"backbone.conv1.conv1_{int(m[1]) + 1}", k)
        k = re.sub(r"^model\.backbone\.model\.encoder\.stages\.(\d)\.layers\.(\d)", r"backbone.res_layers.\1.blocks.\2", k)
        k = re.sub(r"\.layer\.(\d)\.", lambda m: ".branch2" + "abc"[int(m[1])] + ".", k)
        k = k.replace("shortcut.1.", "short.conv.").replace("shortcut.", "short.")
        if k.startswith("backbone."):
            k = k.replace(".convolution.", ".conv.").replace(".normalization.", ".norm.")
        first, second = ("0", "1") if version == 1 else ("conv", "norm")
        k = re.sub(r"^model\.encoder_input_proj\.(\d)\.0", rf"encoder.input_proj.\1.{first}", k)
        k = re.sub(r"^model\.encoder_input_proj\.(\d)\.1", rf"encoder.input_proj.\1.{second}", k)
        k = re.sub(r"^model\.decoder_input_proj\.(\d)\.0", r"decoder.input_proj.\1.conv", k)
        k = re.sub(r"^model\.decoder_input_proj\.(\d)\.1", r"decoder.input_proj.\1.norm", k)
        if version == 2:
            k = k.replace("model.enc_output.0", "decoder.enc_output.proj").replace("model.enc_output.1", "decoder.enc_output.norm")
        k = re.sub(r"^model\.(enc_output|enc_score_head|enc_bbox_head|denoising_class_embed)", r"decoder.\1", k)
        k = k.replace("model.decoder.class_embed", "decoder.dec_score_head").replace("model.decoder.bbox_embed", "decoder.dec_bbox_head")
        k = k.replace("model.decoder.query_pos_head", "decoder.query_pos_head").replace("model.decoder.layers", "decoder.decoder.layers")
        k = k.replace("model.encoder.aifi", "model.encoder.encoder").replace("model.encoder.", "encoder.")
        k = k.replace("self_attn_layer_norm", "norm1").replace("encoder_attn_layer_norm", "norm2")
        k = k.replace("final_layer_norm", "norm3" if k.startswith("decoder.") else "norm2").replace("mlp.fc", "linear").replace(".fc", ".linear")
        k = k.replace("encoder_attn.n_points_scale", "cross_attn.num_points_scale").replace("encoder_attn", "cross_attn").replace("o_proj", "out_proj")
        named[k] = v
    for k in [k for k in named if "self_attn.q_proj" in k]:
        parts = [named.pop(k.replace("q_proj", p)) for p in ("q_proj", "k_proj", "v_proj")]
        named[k.replace("q_proj.", "in_proj_")] = torch.cat(parts)
    assert all(k.startswith(("backbone.", "encoder.", "decoder.")) for k in named), sorted(named)
    named |= {"decoder.anchors": torch.zeros(1, 8400, 4), "decoder.valid_mask": torch.ones(1, 8400, 1, dtype=torch.bool)}
    torch.save({"last_epoch": 71, "model": {k: v * 0 if v.is_floating_point() else v for k, v in named.items()}, "ema": {"module": named, "updates": 1}}, f"{out}/original_{version}.pth")
    tensors = {}
    outputs(model, torch.rand(1, 3, 160, 128), 0, tensors)
    save_file({k: v.float().contiguous() for k, v in tensors.items()}, f"{out}/original_{version}.tensors", metadata={
        "script": "detect_rtdetr.py", "seed": str(20 + version), "versions": f"torch {torch.__version__}, transformers {tr.__version__}"})


RELEASED = {
    "r18": dict(hidden_sizes=[64, 128, 256, 512], depths=[2, 2, 2, 2], layer_type="basic"),
    "r34": dict(hidden_sizes=[64, 128, 256, 512], depths=[3, 4, 6, 3], layer_type="basic"),
    "r50": {},
    "r101": dict(depths=[3, 4, 23, 3]),
}
CHANGES = {
    "r18": dict(encoder_in_channels=[128, 256, 512], hidden_expansion=0.5, decoder_layers=3),
    "r34": dict(encoder_in_channels=[128, 256, 512], hidden_expansion=0.5, decoder_layers=4),
    "r50": {},
    "r101": dict(encoder_ffn_dim=2048, encoder_hidden_dim=384, decoder_in_channels=[384, 384, 384]),
}


def counts():
    found = {}
    for name, body in RELEASED.items():
        for version in (1, 2):
            config, model = classes(version)
            with torch.device("meta"):
                m = model(config(backbone_config=tr.RTDetrResNetConfig(out_indices=[2, 3, 4], **body), num_labels=80, **CHANGES[name]))
            if version == 2:  # without the copies that nothing uses
                del m.class_embed, m.bbox_embed
            found[f"{name} v{version}"] = sum(p.numel() for p in m.parameters())
    print(json.dumps(found))


def check(folder):
    want = load_file(folder + ".safetensors")
    with open(folder + "/config.json") as f:
        name = json.load(f)["architectures"][0]
    model, info = getattr(tr, name).from_pretrained(folder, output_loading_info=True)
    missing = [k for k in info["missing_keys"] if "num_batches_tracked" not in k]
    if missing or info["unexpected_keys"] or info["mismatched_keys"]:
        sys.exit(f"{folder}: {info}")
    with torch.no_grad():
        out = model.eval()(want["pixels"])
    for name, got in (("logits", out.logits), ("boxes", out.pred_boxes)):
        worst = (got - want[name]).abs().max().item()
        print(f"{folder}: {name}: {worst:.2e}")
        if not worst <= 1e-4 * max(1.0, got.square().mean().sqrt().item()):
            sys.exit(f"{folder}: {name} differ by {worst}")
    images = tr.AutoImageProcessor.from_pretrained(folder)
    if type(images).__name__ != "RTDetrImageProcessor" or images.do_normalize or images.size["height"] != 64:
        sys.exit(f"{folder}: the images are prepared by {images}")


if len(sys.argv) == 1:
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    make(os.path.normpath(os.path.join(root, "models", "detect", "testdata", "rtdetr")), GOLDEN, 8, gradients=False)
elif sys.argv[1] == "check":
    for each in sys.argv[2:]:
        check(each)
else:
    for number, each in enumerate(FORMS):
        make(f"{sys.argv[1]}/{each}", FORMS[each], 1 + number)
    for number in (1, 2):
        original(number, sys.argv[1])
    counts()
