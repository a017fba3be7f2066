"""Writes text/classes.txt: which class AutoTokenizer of transformers picks.

Lines are "model TYPE CLASS" for the class of a model type, "wrong TYPE" for the types whose folders name a wrong class, "bare TYPE"
for the types without a configuration, whose class only a folder can name, and "class NAME CLASS" for the class that a name in a folder stands for. A class of TokenizersBackend without a pipeline of its own
is TokenizersBackend; one that is written in Python has a dash before its name.

Needs transformers 5.23.0 with tokenizers and sentencepiece. With the argument check it prints the table.
"""

import glob
import os
import re
import sys

import transformers
from transformers import TokenizersBackend
from transformers.models.auto import tokenization_auto as auto


def main():
    root = os.path.dirname(transformers.__file__)
    names = {name for name in auto.TOKENIZER_MAPPING_NAMES.values() if name}
    for path in glob.glob(root + "/**/*.py", recursive=True):
        with open(path, encoding="utf-8") as source:
            names |= set(re.findall(r"\b[A-Z]\w*Tokenizer(?:Fast)?\b", source.read()))
    names |= {name.replace("Config", "Tokenizer") for name in auto.CONFIG_MAPPING_NAMES.values()}
    lines = [f"model {t} {c or '-'}" for t, c in sorted(auto.TOKENIZER_MAPPING_NAMES.items())]
    lines += [f"wrong {t}" for t in sorted(auto.MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS)]
    lines += [f"bare {t}" for t in sorted(set(auto.TOKENIZER_MAPPING_NAMES) - set(auto.CONFIG_MAPPING_NAMES))]
    for name in sorted(names):
        try:
            found = auto.tokenizer_class_from_name(name)
        except Exception:  # a class that needs a library
            lines.append(f"class {name} -{name}")
            continue
        if found is None:
            continue
        try:
            ours = issubclass(found, TokenizersBackend)
        except Exception:
            ours = False
        lines.append(f"class {name} {'' if ours else '-'}{found.__name__}")
    text = f"# transformers {transformers.__version__}, testdata/gen/text_classes.py\n" + "\n".join(lines) + "\n"
    if sys.argv[1:] == ["check"]:
        sys.stdout.write(text)
        return
    path = os.path.join(os.path.dirname(__file__), "..", "..", "text", "classes.txt")
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


main()
