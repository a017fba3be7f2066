"""Prints, as JSON, the names of the fields of a class that is read from a configuration.

    python fields.py transformers ViTConfig|ViTMAEConfig ...  fields of configurations, and those they write
    python fields.py transformers processors ViT CLIP ...     settings of image processors
    python fields.py timm VisionTransformer|PretrainedCfg     arguments of a model, fields of pretrained_cfg
    python fields.py open_clip CLIP|CLIPVisionCfg ...         arguments of a model, fields of its towers
    python fields.py timm config.json                         fields of the file beside the weights

    python fields.py transformers|open_clip each CLASS ...    an object with the fields of each class
    python fields.py timm no_weight_decay                     parameters of a VisionTransformer without weight decay
"""

import dataclasses
import inspect
import json
import sys

library, name = sys.argv[1:3]


def of_class(each):
    """Returns the fields of a configuration of transformers, or the arguments of a model or tower of open_clip."""
    if library == "open_clip":
        import open_clip.model
        cls = getattr(open_clip.model, each)
        return {f.name for f in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set(inspect.signature(cls.__init__).parameters) - {"self"}
    import transformers
    cls = getattr(transformers, each)
    return {f.name for f in dataclasses.fields(cls)} | set(cls().to_dict())


if library == "timm":
    from timm.models import PretrainedCfg
    from timm.models.vision_transformer import VisionTransformer
    if name == "config.json":
        import tempfile
        import timm
        from timm.models import save_for_hf
        model = timm.create_model("vit_tiny_patch16_224", depth=1)
        with tempfile.TemporaryDirectory() as folder:
            save_for_hf(model, folder, model_config={"label_names": ["a"], "label_descriptions": {"a": "b"}})
            with open(folder + "/config.json") as f:
                found = set(json.load(f))
    elif name == "no_weight_decay":
        found = VisionTransformer(depth=1).no_weight_decay()
    elif name == "PretrainedCfg":
        found = {f.name for f in dataclasses.fields(PretrainedCfg)}
    else:
        found = set(inspect.signature(VisionTransformer.__init__).parameters) - {"self"}
elif name == "processors":
    import transformers
    found = set()
    for each in sys.argv[3:]:
        for cls in (getattr(transformers, each + "ImageProcessor"), getattr(transformers, each + "ImageProcessorPil", None)):
            if cls is not None:
                found |= set(cls.valid_kwargs.__annotations__)
elif name == "each":
    print(json.dumps({each: sorted(of_class(each)) for each in sys.argv[3:]}))
    sys.exit()
else:
    found = set().union(*(of_class(each) for each in sys.argv[2:]))
print(json.dumps(sorted(found)))
