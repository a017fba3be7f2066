package text

import "encoding/json"

// byteLevel is the pipeline of GPT-2.
func (f *folder) byteLevel(normalizer object, prefix bool) error {
	return f.put(normalizer, step("ByteLevel", object{"add_prefix_space": prefix, "trim_offsets": true, "use_regex": true}), byteLevelDecoder)
}

var byteLevelDecoder = step("ByteLevel", object{"add_prefix_space": true, "trim_offsets": true, "use_regex": true})

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
	f.respecial = func(t *spec) AddedToken { return AddedToken{Content: t.Content, Special: true} }
	return f.put(step("NFC", nil), step("Sequence", object{"pretokenizers": []object{
		step("Split", object{"pattern": object{"Regex": qwen2Pattern}, "behavior": "Isolated", "invert": false}),
		step("ByteLevel", object{"add_prefix_space": prefix != nil && *prefix, "trim_offsets": true, "use_regex": false}),
	}}), byteLevelDecoder)
}

// gptNeoX is GPTNeoXTokenizer (models/gpt_neox/tokenization_gpt_neox.py). Its post-processor replaces that of the file.
func (f *folder) gptNeoX() error {
	f.standard(plain("unk_token", "<|endoftext|>", "bos_token", "<|endoftext|>", "eos_token", "<|endoftext|>", "pad_token", "<|padding|>"))
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
	if err := f.put(step("NFC", nil), step("ByteLevel", object{"add_prefix_space": prefix, "trim_offsets": trim, "use_regex": true}), byteLevelDecoder); err != nil {
		return err
	}
	f.last = true
	return f.ends()
}

// blenderbot is BlenderbotTokenizer (models/blenderbot/tokenization_blenderbot.py). Its special tokens come from a
// tokenizer.json alone.
func (f *folder) blenderbot() error {
	f.standard(plain("bos_token", "<s>", "eos_token", "</s>", "sep_token", "</s>", "cls_token", "<s>", "unk_token", "<unk>",
		"pad_token", "<pad>", "mask_token", "<mask>"))
	if t := f.special["mask_token"]; t != nil && t.plain {
		f.special["mask_token"] = &spec{AddedToken: AddedToken{Content: t.Content, LStrip: true}}
	}
	prefix, err := setting(f.settings, "add_prefix_space", true)
	if err != nil {
		return err
	}
	if err := f.bpe(object{"continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": false}); err != nil {
		return err
	}
	return f.byteLevel(nil, prefix)
}

// codeGen is CodeGenTokenizer (models/codegen/tokenization_codegen.py).
func (f *folder) codeGen() error {
	if err := f.gpt2(); err != nil {
		return err
	}
	f.processor = json.RawMessage(`{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false,"use_regex":true}`)
	return nil
}

// deberta is DebertaTokenizer, of the first version (models/deberta/tokenization_deberta.py).
func (f *folder) deberta() error {
	f.standard(plain("bos_token", "[CLS]", "eos_token", "[SEP]", "sep_token", "[SEP]", "cls_token", "[CLS]", "unk_token", "[UNK]",
		"pad_token", "[PAD]", "mask_token", "[MASK]"))
	if err := f.needs("sep_token", "cls_token"); err != nil {
		return err
	}
	prefix, err := setting(f.settings, "add_prefix_space", false)
	if err != nil {
		return err
	}
	if err := f.bpe(object{"continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": false}); err != nil {
		return err
	}
	if err := f.byteLevel(nil, prefix); err != nil {
		return err
	}
	cls, sep := item{token: f.name("cls_token")}, item{token: f.name("sep_token")}
	f.late, f.last = templateOf([]item{cls, {text: "A"}, sep}, []item{cls, {text: "A"}, sep, sep, {text: "B"}, sep}), true
	return nil
}
