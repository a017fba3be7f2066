package text

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/fovea-ml/fovea/text/internal/model"
)

// pipelines build the parts of a tokenizer by its class, as the constructors in transformers do.
var pipelines = map[string]func(*folder) error{
	backend:               (*folder).generic,
	"-SiglipTokenizer":    (*folder).siglip,
	"AlbertTokenizer":     (*folder).albert,
	"BertTokenizer":       (*folder).bert,
	"CLIPTokenizer":       (*folder).clip,
	"DistilBertTokenizer": (*folder).bert,
	"GPT2Tokenizer":       (*folder).gpt2,
	"GemmaTokenizer":      (*folder).gemma,
	"LlamaTokenizer":      (*folder).llama,
	"MPNetTokenizer":      (*folder).mpnet,
	"Qwen2Tokenizer":      (*folder).qwen2,
	"RobertaTokenizer":    (*folder).roberta,
	"Siglip2Tokenizer":    (*folder).siglip2,
	"T5Tokenizer":         (*folder).t5,
	"WhisperTokenizer":    (*folder).whisper,
	"XLMRobertaTokenizer": (*folder).xlmRoberta,
}

// object is a JSON object.
type object map[string]any

func component(typ string, fields object) object {
	out := object{"type": typ}
	for k, v := range fields {
		out[k] = v
	}
	return out
}

// put writes the components of a pipeline. A nil component is null.
func (b *builder) put(normalizer, splitter, decoder object) error {
	for _, c := range []struct {
		to   *json.RawMessage
		from object
	}{{&b.normalizer, normalizer}, {&b.splitter, splitter}, {&b.decoder, decoder}} {
		if c.from == nil {
			*c.to = json.RawMessage("null")
			continue
		}
		data, err := marshal(c.from)
		if err != nil {
			return err
		}
		*c.to = data
	}
	b.processor = json.RawMessage("null")
	return nil
}

// item is an entry of a template: a token, or text A or B.
type item struct {
	token, text string
	typeID      int
	of          string // token whose id it has, where that is not the same
}

// templateOf returns a post-processor, to be made when the ids of its tokens are known.
func templateOf(single, pair []item) func(id func(string) (int, error)) (json.RawMessage, error) {
	return func(id func(string) (int, error)) (json.RawMessage, error) {
		tokens := object{}
		forms := [2][]object{{}, {}}
		for i, list := range [][]item{single, pair} {
			for _, it := range list {
				if it.token == "" {
					forms[i] = append(forms[i], object{"Sequence": object{"id": it.text, "type_id": it.typeID}})
					continue
				}
				name := it.token
				if it.of != "" {
					name = it.of
				}
				n, err := id(name)
				if err != nil {
					return nil, err
				}
				tokens[it.token] = object{"id": it.token, "ids": []int{n}, "tokens": []string{it.token}}
				forms[i] = append(forms[i], object{"SpecialToken": object{"id": it.token, "type_id": it.typeID}})
			}
		}
		return marshal(component("TemplateProcessing", object{"single": forms[0], "pair": forms[1], "special_tokens": tokens}))
	}
}

// robertaOf returns a post-processor of RoBERTa.
func robertaOf(sep, cls string, trim, prefix bool) func(id func(string) (int, error)) (json.RawMessage, error) {
	return func(id func(string) (int, error)) (json.RawMessage, error) {
		sepID, err := id(sep)
		if err != nil {
			return nil, err
		}
		clsID, err := id(cls)
		if err != nil {
			return nil, err
		}
		return marshal(component("RobertaProcessing", object{
			"sep": []any{sep, sepID}, "cls": []any{cls, clsID}, "trim_offsets": trim, "add_prefix_space": prefix,
		}))
	}
}

// needs returns the texts of special tokens that a pipeline cannot do without.
func (f *folder) needs(names ...string) error {
	for _, name := range names {
		if f.name(name) == "" {
			return fmt.Errorf("tokenizer_config.json: %s: expected a token, found none", name)
		}
	}
	return nil
}

// plain are special tokens by their texts.
func plain(pairs ...string) map[string]*spec {
	out := map[string]*spec{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = text(pairs[i+1])
	}
	return out
}

// generic uses tokenizer.json as it is.
func (f *folder) generic() error {
	if f.tokenizer == nil {
		return f.genericSentencePiece()
	}
	if err := f.builder.parse(f.tokenizer); err != nil {
		return fmt.Errorf("tokenizer.json: %w", err)
	}
	return nil
}

// bert is BertTokenizer (models/bert/tokenization_bert.py).
func (f *folder) bert() error {
	f.standard(plain("unk_token", "[UNK]", "sep_token", "[SEP]", "pad_token", "[PAD]", "cls_token", "[CLS]", "mask_token", "[MASK]"))
	if err := f.needs("unk_token", "sep_token", "cls_token"); err != nil {
		return err
	}
	if err := f.bertParts(); err != nil {
		return err
	}
	cls, sep := f.name("cls_token"), f.name("sep_token")
	single := []item{{token: cls}, {text: "A"}, {token: sep}}
	f.late, f.last = templateOf(single, append(single[:3:3], item{text: "B", typeID: 1}, item{token: sep, typeID: 1})), true
	return nil
}

// bertParts sets the model and the pipeline that WordPiece models share.
func (f *folder) bertParts() error {
	lower, err := setting(f.settings, "do_lower_case", true)
	if err != nil {
		return err
	}
	chinese, err := setting(f.settings, "tokenize_chinese_chars", true)
	if err != nil {
		return err
	}
	accents, err := setting(f.settings, "strip_accents", (*bool)(nil))
	if err != nil {
		return err
	}
	if err := f.wordPiece(); err != nil {
		return err
	}
	return f.put(
		component("BertNormalizer", object{"clean_text": true, "handle_chinese_chars": chinese, "strip_accents": accents, "lowercase": lower}),
		component("BertPreTokenizer", nil),
		component("WordPiece", object{"prefix": "##", "cleanup": true}),
	)
}

// mpnet is MPNetTokenizer (models/mpnet/tokenization_mpnet.py).
func (f *folder) mpnet() error {
	f.standard(plain("bos_token", "<s>", "eos_token", "</s>", "sep_token", "</s>", "cls_token", "<s>", "unk_token", "[UNK]",
		"pad_token", "<pad>", "mask_token", "<mask>"))
	if err := f.needs("unk_token", "sep_token", "cls_token"); err != nil {
		return err
	}
	for _, name := range specialNames {
		if t := f.special[name]; t != nil && t.plain {
			f.special[name] = &spec{AddedToken: AddedToken{Content: t.Content, Normalized: true, LStrip: name == "mask_token"}, loose: true}
		}
	}
	if err := f.bertParts(); err != nil {
		return err
	}
	f.late, f.last = robertaOf(f.name("sep_token"), f.name("cls_token"), true, false), true
	return nil
}

// byteLevel is the pipeline of GPT-2.
func (f *folder) byteLevel(normalizer object, prefix bool) error {
	return f.put(normalizer, component("ByteLevel", object{"add_prefix_space": prefix, "trim_offsets": true, "use_regex": true}), byteLevelDecoder)
}

var byteLevelDecoder = component("ByteLevel", object{"add_prefix_space": true, "trim_offsets": true, "use_regex": true})

// roberta is RobertaTokenizer, also of BART (models/roberta/tokenization_roberta.py).
func (f *folder) roberta() error {
	f.standard(plain("bos_token", "<s>", "eos_token", "</s>", "sep_token", "</s>", "cls_token", "<s>", "unk_token", "<unk>",
		"pad_token", "<pad>", "mask_token", "<mask>"))
	if err := f.needs("sep_token", "cls_token"); err != nil {
		return err
	}
	prefix, err := setting(f.settings, "add_prefix_space", false)
	if err != nil {
		return err
	}
	trim, err := setting(f.settings, "trim_offsets", true)
	if err != nil {
		return err
	}
	if err := f.bpe(object{"continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": false}); err != nil {
		return err
	}
	if err := f.byteLevel(nil, prefix); err != nil {
		return err
	}
	f.late, f.last = robertaOf(f.name("sep_token"), f.name("cls_token"), trim, prefix), true
	return nil
}

// gpt2 is GPT2Tokenizer (models/gpt2/tokenization_gpt2.py).
func (f *folder) gpt2() error {
	f.standard(plain("unk_token", "<|endoftext|>", "bos_token", "<|endoftext|>", "eos_token", "<|endoftext|>"))
	f.standard(map[string]*spec{"pad_token": nil})
	prefix, err := setting(f.settings, "add_prefix_space", false)
	if err != nil {
		return err
	}
	if err := f.bpe(object{"continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": false}); err != nil {
		return err
	}
	return f.byteLevel(nil, prefix)
}

// whisper is WhisperTokenizer without a language and a task (models/whisper/tokenization_whisper.py).
func (f *folder) whisper() error {
	f.standard(plain("unk_token", "<|endoftext|>", "bos_token", "<|endoftext|>", "eos_token", "<|endoftext|>"))
	for _, name := range []string{"unk_token", "bos_token", "eos_token"} {
		if t := f.special[name]; t != nil && t.plain {
			f.special[name] = &spec{AddedToken: AddedToken{Content: t.Content, Special: true}}
		}
	}
	if err := f.needs("eos_token"); err != nil {
		return err
	}
	prefix, err := setting(f.settings, "add_prefix_space", false)
	if err != nil {
		return err
	}
	timestamps, err := setting(f.settings, "predict_timestamps", false)
	if err != nil {
		return err
	}
	if err := f.bpe(object{"continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": false}); err != nil {
		return err
	}
	if err := f.byteLevel(nil, prefix); err != nil {
		return err
	}
	start := []item{{token: "<|startoftranscript|>"}}
	if !timestamps {
		start = append(start, item{token: "<|notimestamps|>"})
	}
	start = append(start, item{text: "A"})
	eos := f.name("eos_token")
	f.late, f.last = templateOf(append(start[:len(start):len(start)], item{token: eos}), append(start, item{text: "B", typeID: 1}, item{token: eos, typeID: 1})), true
	return nil
}

// qwen2Pattern cuts text into words (models/qwen2/tokenization_qwen2.py).
const qwen2Pattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

// qwen2 is Qwen2Tokenizer.
func (f *folder) qwen2() error {
	f.standard(plain("unk_token", "<|endoftext|>", "eos_token", "<|endoftext|>", "pad_token", "<|endoftext|>"))
	prefix, err := setting(f.settings, "add_prefix_space", new(false))
	if err != nil {
		return err
	}
	if err := f.bpe(object{"continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false}); err != nil {
		return err
	}
	f.respecial = true
	return f.put(component("NFC", nil), component("Sequence", object{"pretokenizers": []object{
		component("Split", object{"pattern": object{"Regex": qwen2Pattern}, "behavior": "Isolated", "invert": false}),
		component("ByteLevel", object{"add_prefix_space": prefix != nil && *prefix, "trim_offsets": true, "use_regex": false}),
	}}), byteLevelDecoder)
}

// sentencePieceDecoder are the decoders of models with byte fallback.
func sentencePieceDecoder(strip bool) object {
	list := []object{
		component("Replace", object{"pattern": object{"String": "▁"}, "content": " "}),
		component("ByteFallback", nil), component("Fuse", nil),
	}
	if strip {
		list = append(list, component("Strip", object{"content": " ", "start": 1, "stop": 0}))
	}
	return component("Sequence", object{"decoders": list})
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
	return f.put(nil, component("Metaspace", object{"replacement": "▁", "prepend_scheme": scheme, "split": false}), sentencePieceDecoder(add))
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
	return f.put(normalizer, component("Split", object{"pattern": object{"String": " "}, "behavior": "MergedWithPrevious", "invert": false}),
		sentencePieceDecoder(false))
}

var gemmaNormalizer = component("Replace", object{"pattern": object{"String": " "}, "content": "▁"})

// gemma is GemmaTokenizer (models/gemma/tokenization_gemma.py).
func (f *folder) gemma() error { return f.gemmaParts(gemmaNormalizer) }

// siglip2 is Siglip2Tokenizer (models/siglip2/tokenization_siglip2.py).
func (f *folder) siglip2() error {
	return f.gemmaParts(component("Sequence", object{"normalizers": []object{component("Lowercase", nil), gemmaNormalizer}}))
}

// metaspace is the pre-tokenizer of T5, ALBERT and XLM-RoBERTa, and its decoder.
func metaspace(prefix bool) (splitter, decoder object) {
	scheme := "never"
	if prefix {
		scheme = "always"
	}
	decoder = component("Metaspace", object{"replacement": "▁", "prepend_scheme": scheme, "split": true})
	return component("Sequence", object{"pretokenizers": []object{component("WhitespaceSplit", nil), decoder}}), decoder
}

// precompiled returns the normalizer with the charsmap of the file, or nil.
func (f *folder) precompiled() object {
	if f.charsmap == "" {
		return nil
	}
	return component("Precompiled", object{"precompiled_charsmap": f.charsmap})
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
	if err := f.unigram(2, func(pieces []model.Piece) []model.Piece {
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
	if err := f.unigram(1, nil); err != nil {
		return err
	}
	quote := func(s string) object {
		return component("Replace", object{"pattern": object{"String": s}, "content": `"`})
	}
	list := []object{quote("``"), quote("''")}
	if !accents {
		list = append(list, component("NFKD", nil), component("StripAccents", nil))
	}
	if lower {
		list = append(list, component("Lowercase", nil))
	}
	if p := f.precompiled(); p != nil {
		list = append(list, p)
	}
	splitter, decoder := metaspace(prefix)
	if err := f.put(component("Sequence", object{"normalizers": list}), splitter, decoder); err != nil {
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
	if err := f.unigram(3, func(pieces []model.Piece) []model.Piece {
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
