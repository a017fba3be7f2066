"""Prints, as JSON, the names of the fields of a class that is read from a configuration.

    python fields.py transformers ViTConfig|ViTMAEConfig      fields of a configuration, and those it writes
    python fields.py transformers processors ViT CLIP ...     settings of image processors
    python fields.py timm VisionTransformer|PretrainedCfg     arguments of a model, fields of pretrained_cfg
"""

import dataclasses
import inspect
import json
import sys

library, name = sys.argv[1:3]
if library == "timm":
    from timm.models import PretrainedCfg
    from timm.models.vision_transformer import VisionTransformer
    if name == "PretrainedCfg":
        found = {f.name for f in dataclasses.fields(PretrainedCfg)}
    else:
        found = set(inspect.signature(VisionTransformer.__init__).parameters) - {"self"}
else:
    import transformers
    if name == "processors":
        found = set()
        for each in sys.argv[3:]:
            for cls in (getattr(transformers, each + "ImageProcessor"), getattr(transformers, each + "ImageProcessorPil", None)):
                if cls is not None:
                    found |= set(cls.valid_kwargs.__annotations__)
    else:
        cls = getattr(transformers, name)
        found = {f.name for f in dataclasses.fields(cls)} | set(cls().to_dict())
print(json.dumps(sorted(found)))
