package text

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
		step("BertNormalizer", object{"clean_text": true, "handle_chinese_chars": chinese, "strip_accents": accents, "lowercase": lower}),
		step("BertPreTokenizer", nil),
		step("WordPiece", object{"prefix": "##", "cleanup": true}),
	)
}

// funnel is FunnelTokenizer (models/funnel/tokenization_funnel.py).
func (f *folder) funnel() error {
	f.standard(plain("unk_token", "<unk>", "sep_token", "<sep>", "pad_token", "<pad>", "cls_token", "<cls>", "mask_token", "<mask>",
		"bos_token", "<s>", "eos_token", "</s>"))
	if err := f.needs("unk_token", "sep_token", "cls_token"); err != nil {
		return err
	}
	if err := f.bertParts(); err != nil {
		return err
	}
	cls, sep := item{token: f.name("cls_token"), typeID: 2}, f.name("sep_token")
	single := []item{cls, {text: "A"}, {token: sep}}
	f.late, f.last = templateOf(single, append(single[:3:3], item{text: "B", typeID: 1}, item{token: sep, typeID: 1})), true
	return nil
}

// suffixBPE sets a BPE model whose words end in </w>, and the words of BERT, as GPT and HerBERT have them.
func (f *folder) suffixBPE(options, normalizer object) error {
	options["end_of_word_suffix"], options["unk_token"] = "</w>", f.name("unk_token")
	if err := f.bpe(options); err != nil {
		return err
	}
	return f.put(step("BertNormalizer", normalizer), step("BertPreTokenizer", nil), step("BPEDecoder", object{"suffix": "</w>"}))
}

// openAIGPT is OpenAIGPTTokenizer (models/openai/tokenization_openai.py).
func (f *folder) openAIGPT() error {
	f.standard(plain("unk_token", "<unk>"))
	if err := f.needs("unk_token"); err != nil {
		return err
	}
	return f.suffixBPE(object{"continuing_subword_prefix": "", "fuse_unk": false},
		object{"clean_text": true, "handle_chinese_chars": true, "strip_accents": nil, "lowercase": true})
}

// herbert is HerbertTokenizer, whose special tokens have the ids 0 and 2 (models/herbert/tokenization_herbert.py).
func (f *folder) herbert() error {
	f.standard(plain("cls_token", "<s>", "unk_token", "<unk>", "pad_token", "<pad>", "mask_token", "<mask>", "sep_token", "</s>"))
	if err := f.needs("unk_token", "sep_token", "cls_token"); err != nil {
		return err
	}
	if err := f.suffixBPE(object{}, object{"clean_text": true, "handle_chinese_chars": true, "strip_accents": false, "lowercase": false}); err != nil {
		return err
	}
	f.last = true
	var err error
	f.processor, err = marshal(step("BertProcessing", object{"sep": []any{f.name("sep_token"), 2}, "cls": []any{f.name("cls_token"), 0}}))
	return err
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
