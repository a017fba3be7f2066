package text

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/text/internal/model"
)

// OpenOptions say how a folder is opened. The zero value does as transformers does.
type OpenOptions struct {
	// OpenAI encodes for CLIP by the rules of OpenAI's code instead of transformers': HTML entities are unescaped,
	// white space becomes one space, and the library ftfy repairs texts before: “ becomes ", the ligature ﬁ becomes
	// fi, and sÃ³ becomes só. Offsets then count in the cleaned text, here and for the two options below.
	OpenAI bool
	// Canonical cleans texts as open_clip does for SigLIP, before the tokenizer. HTML entities are unescaped, ASCII
	// punctuation is removed, letters become lower case, and white space becomes one space, after the repairs of ftfy.
	Canonical bool
	// Whitespace cleans texts as open_clip does for tokenizers of transformers: HTML entities are unescaped, and white
	// space becomes one space, after the repairs of ftfy.
	Whitespace bool
	// ModelType is the model_type of a folder whose config.json states none, as the oldest do. It chooses the class of the
	// tokenizer where the folder does not.
	ModelType string
}

// OpenDir opens the tokenizer of a model folder on disk. See [Open].
func OpenDir(dir string, o OpenOptions) (*Tokenizer, error) {
	t, err := Open(os.DirFS(dir), o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return t, nil
}

// Open opens the tokenizer of a model folder as AutoTokenizer of transformers 5.23 does: by the class in
// tokenizer_config.json or config.json, with the pipeline of that class, which need not be the pipeline in
// tokenizer.json. It reads tokenizer_config.json, config.json, special_tokens_map.json, added_tokens.json,
// tokenizer.json, vocab.txt, vocab.json and merges.txt, SentencePiece models, and CLIP's bpe_simple_vocab_16e6.txt.gz.
//
// A class whose pipeline is not known is an error that names it, and so are the classes of a folder's own code; the
// package comment lists them. [Parse] then reads the tokenizer.json alone. Where the vocabulary is missing, the error
// matches fs.ErrNotExist.
func Open(fsys fs.FS, o OpenOptions) (*Tokenizer, error) {
	f := &folder{fsys: fsys, options: o}
	f.config.canonical, f.config.whitespace = o.Canonical, o.Whitespace
	return f.open()
}

// folder is a model folder that is being opened.
type folder struct {
	fsys      fs.FS
	options   OpenOptions
	class     string
	tokenizer []byte // tokenizer.json, nil for none
	*settings
	builder
	last      bool                   // the post-processor of the class replaces that of the file
	json      json.RawMessage        // post-processor of the file, nil for none
	charsmap  string                 // of the file, in base64
	unknownID *int                   // of the SentencePiece model, nil for none
	respecial func(*spec) AddedToken // adds the special tokens again at the end, nil where they are not
}

// read returns a file, or nil where it is missing.
func (f *folder) read(name string) ([]byte, error) {
	data, err := smallfile.Read(f.fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if data == nil && err == nil {
		data = []byte{}
	}
	return data, err
}

func (f *folder) open() (*Tokenizer, error) {
	files := map[string][]byte{}
	for _, name := range []string{"config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.json"} {
		data, err := f.read(name)
		if err != nil {
			return nil, err
		}
		files[name] = data
	}
	f.tokenizer = files["tokenizer.json"]
	if err := f.pick(files["config.json"], files["tokenizer_config.json"]); err != nil {
		return nil, err
	}
	var err error
	if f.settings, err = readSettings(files["tokenizer_config.json"], files["special_tokens_map.json"], files["added_tokens.json"], f.tokenizer); err != nil {
		return nil, err
	}
	build, ok := pipelines[f.class]
	if class, python := strings.CutPrefix(f.class, "-"); !ok && python {
		return nil, fmt.Errorf("tokenizer_class: unsupported class %s, whose rules are code and no pipeline of a tokenizer.json", class)
	}
	if !ok {
		return nil, fmt.Errorf("tokenizer_class: unsupported class %s; text.Parse reads the pipeline of a tokenizer.json without the rules of its class", f.class)
	}
	if err := build(f); err != nil {
		return nil, err
	}
	if err := f.finish(); err != nil {
		return nil, err
	}
	t, err := f.build()
	if err == nil && t.padding != nil {
		t.padding.ID, err = t.mustID(t.padding.Token)
	}
	return t, err
}

// pick finds the class.
func (f *folder) pick(config, tokenizerConfig []byte) error {
	var m modelConfig
	var err error
	if config != nil {
		if m, err = readModelConfig(config); err != nil {
			return err
		}
	}
	m.Type = cmp.Or(m.Type, f.options.ModelType)
	var c struct {
		Class *string         `json:"tokenizer_class"`
		Auto  json.RawMessage `json:"auto_map"`
	}
	if tokenizerConfig != nil {
		if err := strictjson.Decode(tokenizerConfig, &c); err != nil {
			return fmt.Errorf("tokenizer_config.json: %w", err)
		}
	}
	class := ""
	if c.Class != nil {
		class = *c.Class
	}
	f.class = choose(m.Type, m.Class, class, bytes.Contains(f.tokenizer, []byte(`"ByteLevel"`)))
	if c.Auto != nil && f.class == backend && class != backend && class != "" && class != "PreTrainedTokenizerFast" {
		return fmt.Errorf("tokenizer_config.json: auto_map: the code of a model is unsupported, found class %q", class)
	}
	if config == nil && tokenizerConfig == nil && f.tokenizer == nil {
		for name, class := range map[string]string{"vocab.txt": "BertTokenizer", clipMerges: "CLIPTokenizer"} {
			if _, err := fs.Stat(f.fsys, name); err == nil {
				f.class = class
			}
		}
	}
	return nil
}

// standard sets the special tokens that the configuration does not state.
func (f *folder) standard(tokens map[string]*spec) {
	for name, t := range tokens {
		if _, ok := f.special[name]; !ok {
			f.special[name] = t
		}
	}
}

// name returns the text of a special token, or "" where there is none.
func (f *folder) name(token string) string {
	if t := f.special[token]; t != nil {
		return t.Content
	}
	return ""
}

// finish does what the constructor of TokenizersBackend does (tokenization_utils_tokenizers.py): it adds tokens, and
// sets the post-processor where the class sets none.
func (f *folder) finish() error {
	if f.code != nil {
		return f.readConfig()
	}
	explicit := false
	if f.tokenizer == nil {
		_, bos := f.fields["add_bos_token"]
		_, eos := f.fields["add_eos_token"]
		explicit = bos || eos
	}
	if f.padding != nil {
		f.standard(map[string]*spec{"pad_token": text(f.padding.Token)})
	}
	if !f.last && f.json != nil && !strictjson.Null(f.json) {
		f.processor, f.late = f.json, nil
	}
	if !f.last && (explicit || f.late == nil && strictjson.Null(f.processor)) {
		if err := f.ends(); err != nil {
			return err
		}
	}
	f.addTokens()
	return f.readConfig()
}

// ends sets a post-processor with the tokens for the beginning and the end, where the configuration asks for them.
func (f *folder) ends() error {
	var single, pair []item
	for i, text := range []string{"A", "B"} {
		for _, end := range []string{"bos", "", "eos"} {
			if end == "" {
				single = append(single, item{text: text, typeID: i})
				continue
			}
			add := false
			if f.tokenizer == nil {
				var err error
				if add, err = setting(f.settings, "add_"+end+"_token", false); err != nil {
					return err
				}
			}
			if token := f.name(end + "_token"); add && token != "" {
				single = append(single, item{token: token, typeID: i})
			}
		}
		if i == 0 {
			pair = slices.Clone(single)
		} else {
			pair, single = single, pair
		}
	}
	f.late = templateOf(single, pair)
	return nil
}

// addTokens adds the tokens of the configuration. Tokens that the tokenizer has already get the flags of the
// configuration.
func (f *folder) addTokens() {
	known := map[string]bool{}
	for _, t := range slices.Concat(f.builder.added...) {
		known[t.Content] = true
	}
	var list []*spec
	for _, t := range f.settings.added {
		list = append(list, &spec{AddedToken: t})
		known[t.Content] = true
	}
	named := map[string]bool{}
	var special []*spec
	for _, name := range slices.Concat(specialNames, f.own) {
		if t := f.special[name]; t != nil {
			special = append(special, t)
			named[t.Content] = true
		}
	}
	listed := map[spec]bool{}
	for _, t := range slices.Concat(special, f.extra) {
		if known[t.Content] || listed[*t] {
			continue
		}
		listed[*t] = true
		list = append(list, t)
	}
	var out []AddedToken
	for _, t := range list {
		added := t.AddedToken
		if t.plain || named[t.Content] {
			added.Special = true
			added.Normalized = added.Normalized && !t.loose
		}
		out = append(out, added)
	}
	f.builder.added = append(f.builder.added, out)
	if f.respecial != nil {
		var again []AddedToken
		for _, t := range slices.Concat(special, f.extra) {
			again = append(again, f.respecial(t))
		}
		f.builder.added = append(f.builder.added, again)
	}
}

// readConfig reads the settings beside the pipeline.
func (f *folder) readConfig() error {
	s := f.settings
	limit, err := setting(s, "model_max_length", (*float64)(nil))
	if err != nil {
		return err
	}
	if _, ok := s.fields["model_max_length"]; !ok {
		if limit, err = setting(s, "max_len", limit); err != nil {
			return err
		}
	}
	if limit != nil && *limit > 0 && *limit < 1e15 {
		f.config.maxLength = int(*limit)
	}
	left, fileLeft := slices.Contains(leftPadding, f.class), false
	if f.padding != nil {
		left = f.padding.Left
	}
	if f.truncation != nil {
		fileLeft = f.truncation.Left
	}
	padSide, err := side(s, "padding_side", left)
	if err != nil {
		return err
	}
	cutSide, err := side(s, "truncation_side", fileLeft)
	if err != nil {
		return err
	}
	clean, err := setting(s, "clean_up_tokenization_spaces", new(false))
	if err != nil {
		return err
	}
	force, err := setting(s, "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output", false)
	if err != nil {
		return err
	}
	_, bpe := f.model.(*model.BPE)
	f.config.cleanUp = clean != nil && *clean && (!bpe || force)
	if f.config.plain, err = setting(s, "split_special_tokens", false); err != nil {
		return err
	}
	if f.config.inputs, err = setting(s, "model_input_names", inputsOf[f.class]); err != nil {
		return err
	}
	typeID := 0
	if f.padding != nil {
		typeID = f.padding.TypeID
	}
	f.truncation, f.padding = nil, nil
	if f.config.maxLength > 0 {
		f.truncation = &Truncation{Max: f.config.maxLength, Left: cutSide}
	} else if cutSide { // a limit that comes later cuts there
		f.truncation = &Truncation{Max: math.MaxInt32, Left: true}
	}
	if name := f.name("pad_token"); name != "" {
		f.padding = &Padding{Left: padSide, Token: name, TypeID: typeID}
	}
	f.config.special = map[string]string{}
	for name, t := range f.special {
		if t != nil {
			f.config.special[name] = t.Content
		}
	}
	return nil
}

// plainInputs are what most classes give a model, and inputsOf is what the others give (model_input_names of
// transformers).
var (
	plainInputs = []string{"input_ids", "attention_mask"}
	typedInputs = []string{"input_ids", "token_type_ids", "attention_mask"}
	inputsOf    = map[string][]string{"BertTokenizer": typedInputs, "DebertaTokenizer": typedInputs, "DebertaV2Tokenizer": typedInputs}
)

// leftPadding are the classes that pad at the left where nothing else is stated.
var leftPadding = []string{"LlamaTokenizer", "GemmaTokenizer", "Siglip2Tokenizer", "XLNetTokenizer"}

// side returns whether a setting says left.
func side(s *settings, name string, left bool) (bool, error) {
	standard := "right"
	if left {
		standard = "left"
	}
	value, err := setting(s, name, standard)
	if err == nil && value != "left" && value != "right" {
		err = fmt.Errorf("tokenizer_config.json: %s: expected left or right, found %q", name, value)
	}
	return value == "left", err
}
