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
