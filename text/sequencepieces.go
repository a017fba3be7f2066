package text

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/text/internal/model"
)

// wholeMetaspace is the pre-tokenizer of models that keep all white space, and its decoder.
func wholeMetaspace(prefix bool) object {
	scheme := "never"
	if prefix {
		scheme = "always"
	}
	return step("Metaspace", object{"replacement": "▁", "prepend_scheme": scheme, "split": true})
}

// replacing is a normalizer that puts one text in the place of the matches of a pattern.
func replacing(kind, pattern, content string) object {
	return step("Replace", object{"pattern": object{kind: pattern}, "content": content})
}

// leftStripped makes tokens that are texts alone take the white space before them, as AddedToken(token, lstrip=True) of
// transformers does.
func (f *folder) leftStripped(name string) {
	if t := f.special[name]; t != nil && t.plain {
		f.special[name] = &spec{AddedToken: AddedToken{Content: t.Content, LStrip: true, Normalized: true}, loose: true}
	}
}

// pegasus is PegasusTokenizer (models/pegasus/tokenization_pegasus.py). A SentencePiece model gets the tokens that the
// model was trained with before its own.
func (f *folder) pegasus() error {
	f.standard(plain("pad_token", "<pad>", "eos_token", "</s>", "unk_token", "<unk>", "mask_token", "<mask_2>"))
	if err := f.needs("pad_token", "eos_token", "unk_token", "mask_token"); err != nil {
		return err
	}
	offset, err := setting(f.settings, "offset", 103)
	if err != nil {
		return err
	}
	if offset < 0 || offset > 1<<16 {
		return fmt.Errorf("tokenizer_config.json: offset: expected 0 to %d, found %d", 1<<16, offset)
	}
	sentence, err := setting(f.settings, "mask_token_sent", new("<mask_1>"))
	if err != nil {
		return err
	}
	var numbered []string
	for i := 2; i < offset; i++ {
		numbered = append(numbered, fmt.Sprintf("<unk_%d>", i))
	}
	unknown := -1
	find := func(list []model.Piece) int {
		if i := slices.Index(list[min(1, len(list)):], model.Piece{Token: f.name("unk_token")}); i >= 0 {
			unknown = i + 1
		}
		return max(0, unknown)
	}
	if err := f.unigram(find, func(pieces []model.Piece) []model.Piece {
		return append(f.pegasusPieces(sentence, numbered), pieces[min(2, len(pieces)):]...)
	}); err != nil {
		return err
	}
	if unknown < 0 {
		return fmt.Errorf("tokenizer_config.json: unk_token: expected a token of the vocabulary with score 0, found %q", f.name("unk_token"))
	}
	if !f.statesExtra() {
		given := f.extra
		f.extra = nil
		if sentence != nil && !slices.ContainsFunc(given, func(t *spec) bool { return t.Content == *sentence }) {
			f.extra = append(f.extra, text(*sentence))
		}
		for _, token := range numbered {
			f.extra = append(f.extra, text(token))
		}
	}
	normalizers := []object{replacing("Regex", `\n`, " "), replacing("Regex", ` {2,}`, " ")}
	if p := f.precompiled(); p != nil {
		normalizers[0] = p
	}
	splitter := wholeMetaspace(true)
	if err := f.put(step("Sequence", object{"normalizers": normalizers}), splitter, splitter); err != nil {
		return err
	}
	eos := item{token: f.name("eos_token")}
	f.late, f.last = templateOf([]item{{text: "A"}, eos}, []item{{text: "A"}, {text: "B"}, eos}), true
	return nil
}

// pegasusPieces are the pieces before those of the SentencePiece model (PegasusConverter in convert_slow_tokenizer.py).
// Its names of the masks are those of the configuration alone.
func (f *folder) pegasusPieces(sentence *string, numbered []string) []model.Piece {
	out := []model.Piece{{Token: f.name("pad_token")}, {Token: f.name("eos_token")}}
	mask, second := "<mask_1>", "<mask_2>"
	if _, ok := f.fields["mask_token"]; ok {
		mask = f.name("mask_token")
	}
	if _, ok := f.fields["mask_token_sent"]; ok {
		second = "None"
		if sentence != nil {
			second = *sentence
		}
	}
	if mask != "None" {
		out = append(out, model.Piece{Token: mask})
	}
	if second != "None" && second != mask {
		out = append(out, model.Piece{Token: second})
	}
	for _, token := range numbered {
		out = append(out, model.Piece{Token: token, Score: -100})
	}
	return out
}

// mBartLanguages are the language tokens of MBart (FAIRSEQ_LANGUAGE_CODES in models/mbart/tokenization_mbart.py).
var mBartLanguages = strings.Fields("ar_AR cs_CZ de_DE en_XX es_XX et_EE fi_FI fr_XX gu_IN hi_IN it_IT ja_XX kk_KZ ko_KR lt_LT lv_LV my_MM ne_NP nl_XX ro_RO ru_RU si_LK tr_TR vi_VN zh_CN")

// mBart50Languages are those of MBart-50 (models/mbart50/tokenization_mbart50.py).
var mBart50Languages = append(slices.Clone(mBartLanguages), strings.Fields("af_ZA az_AZ bn_IN fa_IR he_IL hr_HR id_ID ka_GE km_KH mk_MK ml_IN mn_MN mr_IN pl_PL ps_AF pt_XX sv_SE sw_KE ta_IN te_IN th_TH tl_XX uk_UA ur_PK xh_ZA gl_ES sl_SI")...)

// mBart50 is MBart50Tokenizer, which encodes for the source language.
func (f *folder) mBart50() error {
	f.standard(plain("eos_token", "</s>", "sep_token", "</s>", "cls_token", "<s>", "unk_token", "<unk>", "pad_token", "<pad>", "mask_token", "<mask>"))
	f.leftStripped("mask_token")
	if err := f.needs("eos_token", "cls_token", "unk_token", "pad_token", "mask_token"); err != nil {
		return err
	}
	if err := f.unigram(at(3), func(pieces []model.Piece) []model.Piece {
		return f.fairseqPieces("cls_token", pieces, mBart50Languages)
	}); err != nil {
		return err
	}
	if !slices.ContainsFunc(mBart50Languages, func(code string) bool { _, ok := f.model.ID(code); return ok }) {
		return fmt.Errorf("expected a vocabulary with the language tokens of class MBart50Tokenizer, found none")
	}
	if !f.statesExtra() {
		for _, code := range mBart50Languages {
			if !slices.ContainsFunc(f.extra, func(t *spec) bool { return t.Content == code }) {
				f.extra = append(f.extra, text(code))
			}
		}
	}
	list := []object{replacing("Regex", " {2,}", " ")}
	if p := f.precompiled(); p != nil {
		list = []object{p, list[0]}
	}
	splitter := wholeMetaspace(true)
	if err := f.put(step("Sequence", object{"normalizers": list}), splitter, splitter); err != nil {
		return err
	}
	return f.translates(func(eos, code item) (before, after []item) { return []item{code}, []item{eos} })
}

// fairseqPieces puts the special tokens of fairseq before the pieces of a SentencePiece model, and languages and the
// mask behind.
func (f *folder) fairseqPieces(first string, pieces []model.Piece, languages []string) []model.Piece {
	out := []model.Piece{{Token: f.name(first)}, {Token: f.name("pad_token")}, {Token: f.name("eos_token")}, {Token: f.name("unk_token")}}
	out = append(out, pieces[min(3, len(pieces)):]...)
	for _, code := range languages {
		out = append(out, model.Piece{Token: code})
	}
	return append(out, model.Piece{Token: f.name("mask_token")})
}

// translates sets a post-processor with the token of the source language, or the unknown token for an unknown language.
func (f *folder) translates(around func(eos, code item) (before, after []item)) error {
	language, err := setting(f.settings, "src_lang", new("en_XX"))
	if err != nil {
		return err
	}
	if language == nil {
		language = new("en_XX")
	}
	f.late, f.last = func(id func(string) (int, error)) (json.RawMessage, error) {
		eos, code := item{token: f.name("eos_token")}, item{token: *language}
		if _, err := id(code.token); err != nil {
			code.token = f.name("unk_token")
		}
		before, after := around(eos, code)
		return templateOf(slices.Concat(before, []item{{text: "A"}}, after), slices.Concat(before, []item{{text: "A"}, {text: "B"}}, after))(id)
	}, true
	return nil
}

// mBart is MBartTokenizer, which encodes for the source language (models/mbart/tokenization_mbart.py).
func (f *folder) mBart() error {
	f.standard(plain("bos_token", "<s>", "eos_token", "</s>", "sep_token", "</s>", "cls_token", "<s>", "unk_token", "<unk>",
		"pad_token", "<pad>", "mask_token", "<mask>"))
	f.leftStripped("mask_token")
	if err := f.needs("bos_token", "eos_token", "unk_token", "pad_token", "mask_token"); err != nil {
		return err
	}
	if err := f.unigram(at(3), func(pieces []model.Piece) []model.Piece {
		return f.fairseqPieces("bos_token", pieces, mBartLanguages)
	}); err != nil {
		return err
	}
	if !f.statesExtra() {
		given := f.extra
		f.extra = nil
		for _, code := range mBartLanguages {
			f.extra = append(f.extra, text(code))
		}
		for _, t := range given {
			if !slices.Contains(mBartLanguages, t.Content) {
				f.extra = append(f.extra, t)
			}
		}
	}
	splitter, decoder := metaspace(true)
	if err := f.put(nil, splitter, decoder); err != nil {
		return err
	}
	return f.translates(func(eos, code item) (before, after []item) { return nil, []item{eos, code} })
}

// bigBird is BigBirdTokenizer (models/big_bird/tokenization_big_bird.py).
func (f *folder) bigBird() error {
	f.standard(plain("unk_token", "<unk>", "bos_token", "<s>", "eos_token", "</s>", "pad_token", "<pad>", "sep_token", "[SEP]",
		"mask_token", "[MASK]", "cls_token", "[CLS]"))
	if err := f.needs("sep_token", "cls_token", "unk_token"); err != nil {
		return err
	}
	for _, name := range specialNames {
		if t := f.special[name]; t != nil && t.plain {
			f.special[name] = &spec{AddedToken: AddedToken{Content: t.Content, LStrip: name == "mask_token", Normalized: true}, loose: true}
		}
	}
	prefix, err := setting(f.settings, "add_prefix_space", true)
	if err != nil {
		return err
	}
	unknown := func(list []model.Piece) int {
		if i := slices.Index(list, model.Piece{Token: f.name("unk_token")}); i >= 0 {
			return i
		}
		return 100
	}
	if err := f.unigram(unknown, nil); err != nil {
		return err
	}
	splitter := wholeMetaspace(prefix)
	if err := f.put(step("Sequence", object{"normalizers": []object{
		step("Strip", object{"strip_left": false, "strip_right": false}), replacing("Regex", " {2,}", "▁"),
	}}), splitter, splitter); err != nil {
		return err
	}
	cls, sep := item{token: f.name("cls_token")}, item{token: f.name("sep_token")}
	second := item{token: sep.token, typeID: 1}
	f.late, f.last = templateOf([]item{cls, {text: "A"}, sep}, []item{cls, {text: "A"}, sep, {text: "B", typeID: 1}, second}), true
	return nil
}

// barthez is BarthezTokenizer (models/barthez/tokenization_barthez.py). It does without the charsmap of the
// SentencePiece model.
func (f *folder) barthez() error {
	f.standard(plain("bos_token", "<s>", "eos_token", "</s>", "sep_token", "</s>", "cls_token", "<s>", "unk_token", "<unk>",
		"pad_token", "<pad>", "mask_token", "<mask>"))
	f.leftStripped("mask_token")
	prefix, err := setting(f.settings, "add_prefix_space", true)
	if err != nil {
		return err
	}
	if err := f.unigram(at(3), nil); err != nil {
		return err
	}
	splitter := wholeMetaspace(prefix)
	return f.put(step("Sequence", object{"normalizers": []object{
		replacing("Regex", `\s{2,}|[\n\r\t]`, " "), step("NFC", nil), step("Strip", object{"strip_left": false, "strip_right": true}),
	}}), splitter, splitter)
}

// xlnet is XLNetTokenizer (models/xlnet/tokenization_xlnet.py). It always drops accents.
func (f *folder) xlnet() error {
	f.standard(plain("bos_token", "<s>", "eos_token", "</s>", "unk_token", "<unk>", "sep_token", "<sep>", "pad_token", "<pad>",
		"cls_token", "<cls>", "mask_token", "<mask>"))
	f.leftStripped("mask_token")
	if err := f.needs("sep_token", "cls_token", "mask_token"); err != nil {
		return err
	}
	lower, err := setting(f.settings, "do_lower_case", false)
	if err != nil {
		return err
	}
	standard, err := setting(f.settings, "unk_id", 0)
	if err != nil {
		return err
	}
	if err := f.unigram(func([]model.Piece) int {
		if f.unknownID != nil {
			return *f.unknownID
		}
		return standard
	}, nil); err != nil {
		return err
	}
	if f.extra == nil && f.unknownID == nil && !f.statesExtra() {
		f.extra = []*spec{text("<eop>"), text("<eod>")}
	}
	list := []object{replacing("String", "``", `"`), replacing("String", "''", `"`), step("NFKD", nil), step("StripAccents", nil)}
	if lower {
		list = append(list, step("Lowercase", nil))
	}
	if p := f.precompiled(); p != nil {
		list = append(list, p)
	}
	splitter, decoder := metaspace(true)
	if err := f.put(step("Sequence", object{"normalizers": list}), splitter, decoder); err != nil {
		return err
	}
	sep, cls := item{token: f.name("sep_token")}, item{token: f.name("cls_token"), typeID: 2}
	second := item{token: sep.token, typeID: 1}
	f.late, f.last = templateOf([]item{{text: "A"}, sep, cls}, []item{{text: "A"}, sep, {text: "B", typeID: 1}, second, cls}), true
	return nil
}

// remBert is RemBertTokenizer (models/rembert/tokenization_rembert.py).
func (f *folder) remBert() error {
	f.standard(plain("bos_token", "[CLS]", "eos_token", "[SEP]", "unk_token", "<unk>", "sep_token", "[SEP]", "pad_token", "<pad>",
		"cls_token", "[CLS]", "mask_token", "[MASK]"))
	if err := f.needs("sep_token", "cls_token"); err != nil {
		return err
	}
	lower, err := setting(f.settings, "do_lower_case", false)
	if err != nil {
		return err
	}
	accents, err := setting(f.settings, "keep_accents", true)
	if err != nil {
		return err
	}
	prefix, err := setting(f.settings, "add_prefix_space", true)
	if err != nil {
		return err
	}
	if err := f.unigram(at(2), nil); err != nil {
		return err
	}
	list := []object{replacing("String", "``", `"`), replacing("String", "''", `"`), replacing("Regex", " {2,}", " ")}
	if !accents {
		list = append(list, step("NFKD", nil), step("StripAccents", nil))
	}
	if lower {
		list = append(list, step("Lowercase", nil))
	}
	if p := f.precompiled(); p != nil {
		list = append(list, p)
	}
	splitter := wholeMetaspace(prefix)
	if err := f.put(step("Sequence", object{"normalizers": list}), splitter, splitter); err != nil {
		return err
	}
	f.respecial = func(t *spec) AddedToken {
		again := t.AddedToken
		again.Special, again.Normalized = true, again.Normalized && !t.loose
		return again
	}
	if f.tokenizer == nil || strictjson.Null(f.json) { // transformers then puts its own in the place of that of the class
		f.last = true
		return f.ends()
	}
	cls, sep := item{token: f.name("cls_token")}, item{token: f.name("sep_token")}
	second := item{token: sep.token, typeID: 1}
	f.late, f.last = templateOf([]item{cls, {text: "A"}, sep}, []item{cls, {text: "A"}, sep, {text: "B", typeID: 1}, second}), true
	return nil
}
