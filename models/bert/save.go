package bert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// Save writes the model to a folder, which it makes when it is not there: config.json, model.safetensors and, where the
// model has a Tokenizer, tokenizer.json and tokenizer_config.json. A model for Features gets the files of
// sentence-transformers too, and so does one whose Reranking says something. transformers and sentence-transformers
// load the folder to the same outputs. Each file appears whole or not at all. A model that was loaded from the same
// folder may be saved there. Classes without a name are called LABEL_0 and so on.
//
// Only the layout of Hugging Face is written. The error is the file system's, or names an activation that a module of
// sentence-transformers cannot have.
func (m *Model) Save(dir string, o SaveOptions) error {
	c := m.Config
	c.Architectures = []string{architecture(c.ModelType, m.Task)}
	if m.Classifier != nil && m.Task != MultipleChoice {
		ids := c.Label2ID
		c.NameAll(m.Classifier.Out.Weight.Shape()[0])
		if len(ids) > 0 { // the names may be others, and count in [Model.ZeroShot]
			c.Label2ID = ids
		}
	} else {
		c.Classes = models.Classes{}
	}
	parts, err := m.textParts()
	if err == nil && m.Task == Features && m.Sentences != nil {
		var more []modelfolder.Part
		more, err = m.Sentences.parts(c.HiddenSize)
		parts = append(parts, more...)
	}
	if err == nil && m.Task == SequenceClassification && !m.Reranking.zero() {
		var more []modelfolder.Part
		more, err = m.Reranking.scoreParts()
		parts = append(parts, more...)
	}
	if err != nil {
		return fmt.Errorf("bert: %w", err)
	}
	y := family
	y.Names = m.AdapterNames()
	plain := *m
	plain.Sentences = nil // its weights have files of their own
	contents := modelfolder.Contents{Config: c, Model: &plain, Parts: parts}
	if m.Heads.Masked != nil {
		contents.Ignored = []string{"Heads.Masked.Decoder.Weight"} // an embedding here, tied or not
	}
	return y.Save(dir, contents, o)
}

// tokenizerFiles are files beside tokenizer.json that say how it is used. They are kept as they are.
var tokenizerFiles = []string{"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"}

// readTokenizerFiles returns those of a folder.
func readTokenizerFiles(fsys fs.FS) ([]modelfolder.Part, error) {
	var parts []modelfolder.Part
	for _, name := range tokenizerFiles {
		data, err := smallfile.Read(fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, modelfolder.Part{Name: name, Data: data})
	}
	return parts, nil
}

// specialNames are the names of tokens in a tokenizer_config.json.
var specialNames = []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

// textParts returns the files of the tokenizer.
func (m *Model) textParts() ([]modelfolder.Part, error) {
	if m.Tokenizer == nil {
		return nil, nil
	}
	data, err := m.Tokenizer.MarshalJSON()
	if err != nil {
		return nil, err
	}
	parts := append(slices.Clone(m.tokenizerFiles), modelfolder.Part{Name: "tokenizer.json", Data: data})
	if slices.ContainsFunc(parts, func(p modelfolder.Part) bool { return p.Name == tokenizerFiles[0] }) {
		return parts, nil
	}
	c := map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": m.MaxTokens}
	// Without this field transformers gives no token types.
	c["model_input_names"] = []string{"input_ids", "attention_mask"}
	if m.usesTypes() {
		c["model_input_names"] = []string{"input_ids", "token_type_ids", "attention_mask"}
	}
	for _, name := range specialNames {
		if token, _, ok := m.Tokenizer.Special(name); ok {
			c[name] = token
		}
	}
	config, err := part(tokenizerFiles[0], c)
	return append(parts, config), err
}

// part returns a file of JSON.
func part(name string, v any) (modelfolder.Part, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	return modelfolder.Part{Name: name, Data: append(data, '\n')}, err
}
