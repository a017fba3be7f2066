"""Prints the ranges of characters that join a single word for tokenizers, for TestWords of package text.

An added token with single_word is not found directly behind such a character. Needs tokenizers 0.23.3.
"""

from tokenizers import AddedToken, Tokenizer, models

tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
tokenizer.add_tokens([AddedToken("§", single_word=True, normalized=False)])
ranges = []
for start in range(0, 0x110000, 0x8000):
    block = [c for c in range(start, start + 0x8000) if not 0xD800 <= c < 0xE000 and c != 0xA7]
    for c, encoding in zip(block, tokenizer.encode_batch([chr(c) + "§" for c in block])):
        if 1 in encoding.ids:
            continue
        if ranges and ranges[-1][1] == c - 1:
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
for first, last in ranges:
    print(f"{first:X} {last:X}")
