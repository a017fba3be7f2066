"""The question-answering pipeline of transformers 4.57, which version 5 does not have."""

import numpy as np
import torch
from transformers.pipelines.document_question_answering import select_starts_ends


def answers(m, tokenizer, question, context, top, impossible, size=60):
    """The question-answering pipeline of transformers 4.57 (QuestionAnsweringPipeline)."""
    enc = tokenizer(question, context, truncation="only_second", max_length=size, stride=8, return_overflowing_tokens=True)
    found, null = [], 1000000
    for i, ids in enumerate(enc["input_ids"]):
        inputs = {k: torch.tensor([enc[k][i]]) for k in tokenizer.model_input_names}
        with torch.inference_mode():
            o = m(**inputs)
        mask = np.array([[s != 1 for s in enc.sequence_ids(i)]])
        mask[0, 0] = False
        starts, ends, scores, null = select_starts_ends(o.start_logits.numpy(), o.end_logits.numpy(), mask, np.ones_like(mask, dtype=int),
                                                        null, 2 * top + 10, impossible, 15)
        e = enc.encodings[i]
        for s, t, score in zip(starts, ends, scores):
            begin, end = e.word_to_chars(e.token_to_word(int(s)), 1)[0], e.word_to_chars(e.token_to_word(int(t)), 1)[1]
            same = [a for a in found if a["answer"].lower() == context[begin:end].lower()]
            if same:
                same[0]["score"] += float(score)
            else:
                found.append({"score": float(score), "start": begin, "end": end, "answer": context[begin:end]})
    if impossible:
        found.append({"score": float(null), "start": 0, "end": 0, "answer": ""})
    return sorted(found, key=lambda a: a["score"], reverse=True)[:top]
