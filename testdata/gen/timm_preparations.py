"""Writes how timm's Vision Transformers want their images prepared: the pretrained_cfg of each name and tag.

    python testdata/gen/timm_preparations.py           # from the module's root
    python testdata/gen/timm_preparations.py -print    # the same to standard output

models/internal/timm/testdata/preparations.json has a row for each preparation: mean, std, crop_pct, interpolation,
crop_mode, and the names. They are the names that timm_architectures.py prints, name.tag for each tag, and the old names
that timm still takes for one of these. A name without a tag has that of create_model(name). Versions: see
requirements.txt.
"""

import json
import os
import sys

from timm.models import get_pretrained_cfg, list_pretrained
from timm.models._registry import _deprecated_models

from timm_architectures import plain

OUT = "models/internal/timm/testdata/preparations.json"

names = list(plain())
names += [n for n in list_pretrained() if n.partition(".")[0] in names]
old = {o: n for o, n in _deprecated_models.items() if n in names}
rows = {}
for name in sorted([*names, *old]):
    cfg = get_pretrained_cfg(old.get(name, name))
    key = json.dumps([cfg.mean, cfg.std, cfg.crop_pct, cfg.interpolation, cfg.crop_mode])
    rows.setdefault(key, []).append(name)
text = "[\n" + ",\n".join(f"{key[:-1]}, {json.dumps(rows[key])}]" for key in sorted(rows)) + "\n]\n"
if sys.argv[1:] == ["-print"]:
    print(text)
else:
    os.makedirs(os.path.dirname(OUT), exist_ok=True)
    with open(OUT, "w") as f:
        f.write(text)
