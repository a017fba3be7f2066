package text

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/text/internal/model"
)

// sentencePieceDecoder are the decoders of models with byte fallback.
func sentencePieceDecoder(strip bool) object {
	list := []object{
		step("Replace", object{"pattern": object{"String": "▁"}, "content": " "}),
		step("ByteFallback", nil), step("Fuse", nil),
	}
	if strip {
		list = append(list, step("Strip", object{"content": " ", "start": 1, "stop": 0}))
	}
	return step("Sequence", object{"decoders": list})
}

// llama is LlamaTokenizer (models/llama/tokenization_llama.py).
func (f *folder) llama() error {
	f.standard(plain("unk_token", "<unk>", "bos_token", "<s>", "eos_token", "</s>"))
	prefix, err := setting(f.settings, "add_prefix_space", new(true))
	if err != nil {
		return err
	}
	legacy, err := setting(f.settings, "legacy", new(false))
	if err != nil {
		return err
	}
	if err := f.bpe(object{"fuse_unk": true, "byte_fallback": true}); err != nil {
		return err
	}
	add := prefix == nil || *prefix
	scheme := "never"
	if add {
		if scheme = "first"; legacy != nil && *legacy {
			scheme = "always"
		}
	}
	return f.put(nil, step("Metaspace", object{"replacement": "▁", "prepend_scheme": scheme, "split": false}), sentencePieceDecoder(add))
}

// gemmaParts is the pipeline of Gemma and SigLIP 2.
func (f *folder) gemmaParts(normalizer object) error {
	f.standard(plain("unk_token", "<unk>", "bos_token", "<bos>", "eos_token", "<eos>", "pad_token", "<pad>", "mask_token", "<mask>"))
	if err := f.needs("unk_token"); err != nil {
		return err
	}
	if err := f.bpe(object{"fuse_unk": true, "unk_token": f.name("unk_token"), "byte_fallback": true}); err != nil {
		return err
	}
	return f.put(normalizer, step("Split", object{"pattern": object{"String": " "}, "behavior": "MergedWithPrevious", "invert": false}),
		sentencePieceDecoder(false))
}

var gemmaNormalizer = step("Replace", object{"pattern": object{"String": " "}, "content": "▁"})

// gemma is GemmaTokenizer (models/gemma/tokenization_gemma.py).
func (f *folder) gemma() error { return f.gemmaParts(gemmaNormalizer) }

// siglip2 is Siglip2Tokenizer (models/siglip2/tokenization_siglip2.py).
func (f *folder) siglip2() error {
	return f.gemmaParts(step("Sequence", object{"normalizers": []object{step("Lowercase", nil), gemmaNormalizer}}))
}

// metaspace is the pre-tokenizer of T5, ALBERT and XLM-RoBERTa, and its decoder.
func metaspace(prefix bool) (splitter, decoder object) {
	scheme := "never"
	if prefix {
		scheme = "always"
	}
	decoder = step("Metaspace", object{"replacement": "▁", "prepend_scheme": scheme, "split": true})
	return step("Sequence", object{"pretokenizers": []object{step("WhitespaceSplit", nil), decoder}}), decoder
}

// precompiled returns the normalizer with the charsmap of the file, or nil.
func (f *folder) precompiled() object {
	if f.charsmap == "" {
		return nil
	}
	return step("Precompiled", object{"precompiled_charsmap": f.charsmap})
}

// t5 is T5Tokenizer (models/t5/tokenization_t5.py).
func (f *folder) t5() error {
	f.standard(plain("eos_token", "</s>", "unk_token", "<unk>", "pad_token", "<pad>"))
	if err := f.needs("eos_token"); err != nil {
		return err
	}
	extra, err := setting(f.settings, "extra_ids", 100)
	if err != nil {
		return err
	}
	if extra < 0 || extra > 1<<16 {
		return fmt.Errorf("tokenizer_config.json: extra_ids: expected 0 to %d, found %d", 1<<16, extra)
	}
	var sentinels []string
	for i := range extra {
		sentinels = append(sentinels, fmt.Sprintf("<extra_id_%d>", i))
	}
	stated := f.statesExtra()
	if err := f.unigram(at(2), func(pieces []model.Piece) []model.Piece {
		for i := range sentinels {
			pieces = append(pieces, model.Piece{Token: sentinels[len(sentinels)-1-i]})
		}
		return pieces
	}); err != nil {
		return err
	}
	listed := 0
	if !stated {
		for _, t := range f.extra {
			if strings.Contains(t.Content, "<extra_id_") {
				listed++
			}
		}
	}
	switch {
	case listed > 0 && extra > 0 && listed != extra:
		return fmt.Errorf("additional_special_tokens: expected %d tokens with <extra_id_, as in extra_ids, found %d", extra, listed)
	case !stated && listed == 0:
		for _, token := range sentinels {
			f.extra = append(f.extra, text(token))
		}
	}
	splitter, decoder := metaspace(true)
	if err := f.put(f.precompiled(), splitter, decoder); err != nil {
		return err
	}
	eos := item{token: "</s>", of: f.name("eos_token")}
	f.late, f.last = templateOf([]item{{text: "A"}, eos}, []item{{text: "A"}, eos, {text: "B"}, eos}), true
	return nil
}

// albert is AlbertTokenizer (models/albert/tokenization_albert.py).
func (f *folder) albert() error {
	f.standard(plain("bos_token", "[CLS]", "eos_token", "[SEP]", "unk_token", "<unk>", "sep_token", "[SEP]", "pad_token", "<pad>",
		"cls_token", "[CLS]", "mask_token", "[MASK]"))
	lower, err := setting(f.settings, "do_lower_case", true)
	if err != nil {
		return err
	}
	accents, err := setting(f.settings, "keep_accents", false)
	if err != nil {
		return err
	}
	prefix, err := setting(f.settings, "add_prefix_space", true)
	if err != nil {
		return err
	}
	if err := f.unigram(at(1), nil); err != nil {
		return err
	}
	quote := func(s string) object {
		return step("Replace", object{"pattern": object{"String": s}, "content": `"`})
	}
	list := []object{quote("``"), quote("''")}
	if !accents {
		list = append(list, step("NFKD", nil), step("StripAccents", nil))
	}
	if lower {
		list = append(list, step("Lowercase", nil))
	}
	if p := f.precompiled(); p != nil {
		list = append(list, p)
	}
	splitter, decoder := metaspace(prefix)
	if err := f.put(step("Sequence", object{"normalizers": list}), splitter, decoder); err != nil {
		return err
	}
	for _, name := range []string{"cls_token", "sep_token"} {
		if _, ok := f.model.ID(f.name(name)); !ok {
			return fmt.Errorf("tokenizer_config.json: %s: expected a token of the vocabulary, found %q", name, f.name(name))
		}
	}
	cls, sep := item{token: "[CLS]", of: f.name("cls_token")}, item{token: "[SEP]", of: f.name("sep_token")}
	single := []item{cls, {text: "A"}, sep}
	sep.typeID = 1
	f.late = templateOf(single, append(single[:3:3], item{text: "B", typeID: 1}, sep))
	return nil
}

// xlmRoberta is XLMRobertaTokenizer (models/xlm_roberta/tokenization_xlm_roberta.py).
func (f *folder) xlmRoberta() error {
	f.standard(plain("bos_token", "<s>", "eos_token", "</s>", "sep_token", "</s>", "cls_token", "<s>", "unk_token", "<unk>",
		"pad_token", "<pad>", "mask_token", "<mask>"))
	if err := f.needs("bos_token", "eos_token", "unk_token", "pad_token", "mask_token"); err != nil {
		return err
	}
	prefix, err := setting(f.settings, "add_prefix_space", true)
	if err != nil {
		return err
	}
	if err := f.unigram(at(3), func(pieces []model.Piece) []model.Piece {
		out := []model.Piece{{Token: f.name("bos_token")}, {Token: f.name("pad_token")}, {Token: f.name("eos_token")}, {Token: f.name("unk_token")}}
		out = append(out, pieces[min(3, len(pieces)):]...)
		return append(out, model.Piece{Token: f.name("mask_token")})
	}); err != nil {
		return err
	}
	splitter, decoder := metaspace(prefix)
	if err := f.put(f.precompiled(), splitter, decoder); err != nil {
		return err
	}
	bos, eos := f.name("bos_token"), f.name("eos_token")
	f.late, f.last = templateOf([]item{{token: bos}, {text: "A"}, {token: eos}},
		[]item{{token: bos}, {text: "A"}, {token: eos}, {token: eos}, {text: "B"}, {token: eos}}), true
	return nil
}

// camembert is CamembertTokenizer (models/camembert/tokenization_camembert.py).
func (f *folder) camembert() error {
	f.standard(plain("bos_token", "<s>", "eos_token", "</s>", "sep_token", "</s>", "cls_token", "<s>", "unk_token", "<unk>", "pad_token", "<pad>"))
	f.standard(map[string]*spec{"mask_token": text("<mask>")})
	if t := f.special["mask_token"]; t != nil && t.plain {
		f.special["mask_token"] = &spec{AddedToken: AddedToken{Content: t.Content, LStrip: true, Special: true}}
	}
	if err := f.needs("bos_token", "eos_token", "unk_token", "pad_token", "mask_token"); err != nil {
		return err
	}
	prefix, err := setting(f.settings, "add_prefix_space", true)
	if err != nil {
		return err
	}
	unknown := func(list []model.Piece) int {
		return max(0, slices.IndexFunc(list, func(p model.Piece) bool { return p.Token == f.name("unk_token") }))
	}
	if err := f.unigram(unknown, func(pieces []model.Piece) []model.Piece {
		out := []model.Piece{{Token: "<s>NOTUSED"}, {Token: f.name("pad_token")}, {Token: "</s>NOTUSED"}, {Token: f.name("unk_token")}, {Token: "<unk>NOTUSED", Score: -100}}
		return append(append(out, pieces[min(1, len(pieces)):]...), model.Piece{Token: f.name("mask_token")})
	}); err != nil {
		return err
	}
	if f.extra == nil && !f.statesExtra() {
		for _, token := range []string{"<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"} {
			f.extra = append(f.extra, text(token))
		}
	}
	splitter, decoder := metaspace(prefix)
	if err := f.put(f.precompiled(), splitter, decoder); err != nil {
		return err
	}
	bos, eos := item{token: f.name("bos_token")}, item{token: f.name("eos_token")}
	f.late, f.last = templateOf([]item{bos, {text: "A"}, eos}, []item{bos, {text: "A"}, eos, eos, {text: "B"}, eos}), true
	return nil
}

// debertaV2 is DebertaV2Tokenizer, also of DeBERTa-v3 (models/deberta_v2/tokenization_deberta_v2.py). It does without
// the charsmap of the SentencePiece model.
func (f *folder) debertaV2() error {
	f.standard(plain("bos_token", "[CLS]", "eos_token", "[SEP]", "unk_token", "[UNK]", "sep_token", "[SEP]", "pad_token", "[PAD]",
		"cls_token", "[CLS]", "mask_token", "[MASK]"))
	if err := f.needs("cls_token", "sep_token", "unk_token"); err != nil {
		return err
	}
	lower, err := setting(f.settings, "do_lower_case", false)
	if err != nil {
		return err
	}
	isolate, err := setting(f.settings, "split_by_punct", false)
	if err != nil {
		return err
	}
	prefix, err := setting(f.settings, "add_prefix_space", true)
	if err != nil {
		return err
	}
	standard, err := setting(f.settings, "unk_id", 1)
	if err != nil {
		return err
	}
	unknown := func(list []model.Piece) int {
		if i := slices.Index(list, model.Piece{Token: f.name("unk_token")}); i >= 0 {
			return i
		}
		if f.unknownID != nil {
			return *f.unknownID
		}
		return standard
	}
	if err := f.unigram(unknown, nil); err != nil {
		return err
	}
	normalizers := []object{
		step("Replace", object{"pattern": object{"Regex": `\s{2,}|[\n\r\t]`}, "content": " "}), step("NFC", nil),
		step("Strip", object{"strip_left": false, "strip_right": true}),
	}
	if lower {
		normalizers = append([]object{step("Lowercase", nil)}, normalizers...)
	}
	scheme := "first"
	if prefix {
		scheme = "always"
	}
	decoder := step("Metaspace", object{"replacement": "▁", "prepend_scheme": scheme, "split": true})
	splitters := []object{decoder}
	if isolate {
		splitters = []object{step("Punctuation", object{"behavior": "Isolated"}), decoder}
	}
	if err := f.put(step("Sequence", object{"normalizers": normalizers}), step("Sequence", object{"pretokenizers": splitters}), decoder); err != nil {
		return err
	}
	cls, sep := item{token: f.name("cls_token")}, item{token: f.name("sep_token")}
	last := item{token: sep.token, typeID: 1}
	f.late, f.last = templateOf([]item{cls, {text: "A"}, sep}, []item{cls, {text: "A"}, sep, {text: "B", typeID: 1}, last}), true
	return nil
}
