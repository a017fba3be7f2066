package clip

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/text"
)

// chineseVocabulary is the vocabulary of the authors' code of Chinese-CLIP.
const chineseVocabulary = "vocab.txt"

// openChinese returns the tokenizer of the authors' code (cn_clip/clip/bert_tokenizer.py) with the vocabulary of a folder, or nil
// where there is none. It is BERT's with other details: special tokens are ordinary text, a word may have 200 characters, and two
// kinds of characters are treated as in Google's code, and not as in transformers'. Only the Greek capital sigma at the end of a
// word differs: it becomes σ, and not ς.
func openChinese(fsys fs.FS) (*text.Tokenizer, error) {
	data, err := smallfile.Read(fsys, chineseVocabulary)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	words := map[string]int{}
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		words[strings.TrimSpace(line)] = i
	}
	type object map[string]any
	var normalizers []object
	for _, r := range []struct{ pattern, standIn string }{
		// A part of Unicode's extension E that transformers does not count as Chinese, and unassigned places beside Chinese
		// characters. No vocabulary has them.
		{`[\x{2B820}-\x{2B91F}]|(?=\p{Cn})[\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2CEAF}\x{F900}-\x{FAFF}\x{2F800}-\x{2FA1F}]`, "\U0002A6D6"},
		// transformers drops characters without a meaning. Here they make their word unknown.
		{`[\p{Co}\p{Cn}]`, "\uA66E"},
	} {
		if _, known := words[r.standIn]; !known {
			normalizers = append(normalizers, object{"type": "Replace", "pattern": object{"Regex": r.pattern}, "content": r.standIn})
		}
	}
	normalizers = append(normalizers, object{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": true, "lowercase": true})
	var single, pair []object
	special := object{}
	for i, item := range []string{"[CLS]", "A", "[SEP]", "B", "[SEP]"} {
		o := object{"Sequence": object{"id": item, "type_id": i / 3}}
		if strings.HasPrefix(item, "[") {
			id, ok := words[item]
			if !ok {
				return nil, fmt.Errorf("%s: expected the token %s, found none", chineseVocabulary, item)
			}
			o = object{"SpecialToken": object{"id": item, "type_id": i / 3}}
			special[item] = object{"id": item, "ids": []int{id}, "tokens": []string{item}}
		}
		pair = append(pair, o)
	}
	single = slices.Clone(pair[:3])
	pipeline, err := json.Marshal(object{
		"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": []any{},
		"normalizer":     object{"type": "Sequence", "normalizers": normalizers},
		"pre_tokenizer":  object{"type": "BertPreTokenizer"},
		"post_processor": object{"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special},
		"decoder":        object{"type": "WordPiece", "prefix": "##", "cleanup": true},
		"model": object{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 200,
			"vocab": words},
	})
	if err != nil {
		return nil, err
	}
	t, err := text.Parse(pipeline)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", chineseVocabulary, err)
	}
	return t, nil
}
