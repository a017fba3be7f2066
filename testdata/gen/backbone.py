"""Writes small random residual networks, ShuffleNetV2 and DLA-34, with outputs, features and gradients.

    python backbone.py           the golden models/backbone/testdata/resnet, transformers' ResNetForImageClassification
    python backbone.py OUT       OUT/NAME for every form of torchvision, timm and transformers

OUT/NAME.golden.safetensors, or golden.safetensors in the golden's folder, holds pixels, output, the features of each level, and
the gradient of each parameter, with its name on disk, all with random running statistics; then outputs for images of two
other sizes. OUT/NAME.train.safetensors holds the output of a training step, the gradients, and the running statistics after it.
Versions: requirements.txt. Seeds are in each golden's metadata.
"""

import os
import sys

import timm
import torch
import torchvision
import transformers as tr
from safetensors.torch import save_file as save_tensors
from timm.models import dla, resnet
from torchvision.models import shufflenetv2

from models_vit import array, golden

torch.set_num_threads(1)
SMALL = dict(embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 2, 1, 1])
NARROW = dict(channels=(16, 24, 32, 40), num_classes=5)


def hf(cls, **config):
    return lambda: cls(tr.ResNetConfig(num_labels=5, **{**SMALL, **config}))


FORMS = {
    "hf_basic": hf(tr.ResNetForImageClassification, layer_type="basic"),
    "hf_bottleneck": hf(tr.ResNetForImageClassification, layer_type="bottleneck", downsample_in_bottleneck=True, downsample_in_first_stage=True),
    "hf_model": hf(tr.ResNetModel, layer_type="bottleneck", hidden_act="silu"),
    "tv_resnet": lambda: torchvision.models.ResNet(torchvision.models.resnet.Bottleneck, [1, 2, 1, 1], num_classes=5),
    "timm_resnet18": lambda: resnet.ResNet(resnet.BasicBlock, (2, 2, 2, 2), **NARROW),
    "timm_resnet50d": lambda: resnet.ResNet(resnet.Bottleneck, (1, 1, 2, 1), stem_width=8, stem_type="deep", avg_down=True, **NARROW),
    "timm_resnet18d": lambda: resnet.ResNet(resnet.BasicBlock, (1, 2, 1, 1), stem_width=8, stem_type="deep", avg_down=True, in_chans=1, **NARROW),
    "tv_shufflenet": lambda: shufflenetv2.ShuffleNetV2([2, 3, 2], [8, 16, 24, 32, 40], num_classes=5),
    "timm_dla34": lambda: dla.DLA([1, 1, 1, 2, 2, 1], [8, 8, 12, 16, 20, 24], block=dla.DlaBasic, num_classes=5),
}


def randomize(model):
    for name, b in model.named_buffers():
        if name.endswith("running_mean"):
            b.copy_(torch.randn_like(b) * 0.2)
        if name.endswith("running_var"):
            b.copy_(torch.rand_like(b) + 0.5)
    with torch.no_grad():
        for p in model.parameters():
            if p.ndim == 1:
                p.add_(torch.randn_like(p) * 0.2)
            else:
                p.copy_(torch.randn_like(p) * (1.5 / p[0].numel()) ** 0.5)


def run(model, x):
    if isinstance(model, tr.PreTrainedModel):
        out = model(x)
        return out.logits if hasattr(out, "logits") else out.pooler_output.flatten(1)
    return model(x)


def features(model, x):
    """Returns the features of the levels, by hooks on the stages."""
    if isinstance(model, tr.PreTrainedModel):
        return (model if isinstance(model, tr.ResNetModel) else model.resnet)(x, output_hidden_states=True).hidden_states[1:]
    found, stages = [], [f"layer{i}" for i in range(1, 5)]
    if hasattr(model, "stage2"):
        stages = ["stage2", "stage3", "stage4"]
    if hasattr(model, "level2"):
        stages = ["level2", "level3", "level4", "level5"]
    hooks = [getattr(model, s).register_forward_hook(lambda m, i, o: found.append(o)) for s in stages]
    model(x)
    for h in hooks:
        h.remove()
    return found


def gradients(model, result):
    model.zero_grad()
    result.square().sum().backward()
    return {"grad/" + n: array(p.grad) for n, p in model.named_parameters()}


def make(name, folder, half=False):
    seed = 1 + list(FORMS).index(name)
    torch.manual_seed(seed)
    model = FORMS[name]().eval()
    randomize(model)
    if half:
        model.half().float()
    channels = 1 if name == "timm_resnet18d" else 3
    other = ((64, 32), (32, 96)) if "dla" in name else ((33, 47), (71, 38))
    side = 32 if half else 64
    x = torch.randn(2, channels, side, side).half().float()
    tensors = {"pixels": array(x)}
    result = run(model, x)
    tensors["output"] = array(result)
    with torch.no_grad():
        for i, f in enumerate(features(model, x)):
            tensors[f"level.{i}"] = array(f)
    tensors |= gradients(model, result)
    for size in other:
        with torch.no_grad():
            y = torch.randn(1, channels, *size).half().float()
            tensors |= {f"other.{other.index(size)}/pixels": array(y), f"other.{other.index(size)}/output": array(run(model, y))}
    os.makedirs(folder, exist_ok=True)
    state = {k: v.clone() for k, v in model.state_dict().items()}
    if isinstance(model, tr.PreTrainedModel):
        (model.half() if half else model).save_pretrained(folder)
        model.float()
    elif name == "timm_resnet18":
        model.pretrained_cfg = timm.models.PretrainedCfg(architecture="resnet18", tag="a1_in1k", input_size=(3, 64, 64), crop_pct=0.95, first_conv="conv1", classifier="fc").to_dict()
        timm.models.save_for_hf(model, folder, model_config=dict(architecture="resnet18", model_args=dict(channels=NARROW["channels"]), label_names=["a", "b", "c", "d", "e"]))
    elif name.startswith("tv"):
        torch.save(state, folder + "/weights.pth")
    else:
        save_tensors(state, folder + "/weights.safetensors")
    tensors["parameters"] = array(torch.tensor([float(sum(p.numel() for p in model.parameters()))]))
    write(tensors, folder + ("/golden.safetensors" if half else ".golden.safetensors"), seed)
    if half:
        return
    model.train()
    result = run(model, x)
    tensors = {"pixels": array(x), "output": array(result), **gradients(model, result)}
    write(tensors | {n: array(b) for n, b in model.named_buffers() if "running" in n}, folder + ".train.safetensors", seed)


def write(tensors, file, seed):
    save_tensors({k: torch.from_numpy(v) for k, v in tensors.items()}, file,
                 metadata={"script": "backbone.py", "seed": str(seed),
                           "versions": f"torch {torch.__version__}, torchvision {torchvision.__version__}, timm {timm.__version__}, transformers {tr.__version__}"})


if __name__ == "__main__":
    if len(sys.argv) > 1:
        for form in FORMS:
            make(form, os.path.join(sys.argv[1], form))
    else:
        make("hf_basic", golden("models/backbone", "resnet"), half=True)
