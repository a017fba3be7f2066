package clip

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/text"
)

// openAIVocabulary is the vocabulary of OpenAI's code and of open_clip. transformers cannot read it.
const openAIVocabulary = "bpe_simple_vocab_16e6.txt.gz"

// vocabularies are the files that hold the tokens of a tokenizer; settings are its other files.
var (
	vocabularies = []string{"tokenizer.json", "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model", openAIVocabulary}
	settings     = []string{"merges.txt", tokenizerConfig, "special_tokens_map.json", "added_tokens.json"}
)

// bertTokens are the special tokens of BERT's tokenizers by their names in a tokenizer_config.json.
var bertTokens = map[string]string{
	"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]",
}

// source is a tokenizer with the files that it was made of.
type source struct {
	tokenizer *text.Tokenizer
	files     []modelfolder.Part // empty where transformers cannot read them
	canonical bool               // with the rules of open_clip for SigLIP, which transformers does not have
	limits    bool               // the tokenizer's own limit counts, as in transformers
}

// truncation says how texts are cut.
func (m *Model) truncation() *text.Truncation {
	cut := &text.Truncation{Max: m.Config.Text.MaxPositionEmbeddings}
	if m.source.limits && m.Tokenizer == m.source.tokenizer {
		if own := m.Tokenizer.Defaults().Truncation; own != nil {
			cut.Max, cut.Left = min(cut.Max, own.Max), own.Left
		}
	}
	return cut
}

// checkPadding returns an error where transformers gives a text other positions beside a longer one: padding comes
// before it, and counts.
func (s source) checkPadding() error {
	if s.tokenizer == nil {
		return nil
	}
	if p := s.tokenizer.Defaults().Padding; p != nil && p.Left {
		return fmt.Errorf("%s: padding_side: expected right, found left: padding would move the positions of texts", tokenizerConfig)
	}
	return nil
}

// openTokenizer opens the tokenizer of a folder, with the rules of OpenAI's code, of open_clip, or of transformers. It
// is nil where the folder has no vocabulary.
func openTokenizer(fsys fs.FS, rules text.OpenOptions) (source, error) {
	s := source{canonical: rules.Canonical}
	found, known := false, false
	for i, names := range [][]string{vocabularies, settings} {
		for _, name := range names {
			data, err := smallfile.Read(fsys, name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return s, err
			}
			found = found || i == 0
			if name != openAIVocabulary {
				known = known || i == 0
				s.files = append(s.files, modelfolder.Part{Name: name, Data: data})
			}
		}
	}
	if !found {
		return source{}, nil
	}
	if !known {
		s.files = nil
	}
	var err error
	s.tokenizer, err = text.Open(fsys, rules)
	return s, err
}

// tokenizerConfig is the file with the settings of a tokenizer of transformers.
const tokenizerConfig = "tokenizer_config.json"

// hiddenPadding returns how texts are padded where transformers gives a model an attention mask that hides the padding:
// unless the tokenizer's model_input_names lack attention_mask. All tokenizer classes that SigLIP has have it by
// default.
func (s source) hiddenPadding(positions int) *Padding {
	if s.tokenizer == nil {
		return nil
	}
	if !slices.Contains(s.tokenizer.ModelInputs(), attentionMask) {
		return nil
	}
	usual := s.tokenizer.Defaults().Padding
	if usual == nil {
		return nil // Tokenize says so
	}
	p := &Padding{Token: usual.ID, Left: usual.Left}
	if cut := s.tokenizer.Defaults().Truncation; cut != nil && cut.Max < positions {
		p.Length = max(1, cut.Max)
	}
	return p
}

// The model_input_names of SigLIP.
const inputIDs, attentionMask = "input_ids", "attention_mask"

// tokenizerFiles returns the files of the model's tokenizer: those of the folder it was loaded from, or a
// tokenizer.json.
func (m *Model) tokenizerFiles() ([]modelfolder.Part, error) {
	if m.Tokenizer == nil {
		return nil, nil
	}
	if m.Tokenizer == m.source.tokenizer && len(m.source.files) > 0 {
		return m.source.files, nil
	}
	data, err := m.Tokenizer.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("clip: tokenizer.json: %w", err)
	}
	config := map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": m.truncation().Max}
	switch {
	case m.Config.Text.Bidirectional:
		if m.Config.Text.HiddenPadding == nil {
			config["model_input_names"] = []string{inputIDs} // transformers would hide the padding otherwise
		}
	case m.Config.Text.BERT != nil:
		config["model_input_names"] = []string{inputIDs, "token_type_ids", attentionMask}
	default:
		config["tokenizer_class"] = "CLIPTokenizer"
	}
	for _, name := range []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"} {
		if token, _, ok := m.Tokenizer.Special(name); ok {
			config[name] = token
		} else if token := bertTokens[name]; m.Config.Text.BERT != nil && token != "" {
			if _, ok := m.Tokenizer.ID(token); ok {
				config[name] = token
			}
		}
	}
	more, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return nil, err
	}
	return []modelfolder.Part{{Name: "tokenizer.json", Data: data}, {Name: tokenizerConfig, Data: append(more, '\n')}}, nil
}
