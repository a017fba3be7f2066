package bert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/nn"
)

// Save writes the model to a folder, which it makes when it is not there: config.json, model.safetensors and, where the model
// has a Tokenizer, tokenizer.json and tokenizer_config.json. A model for Features gets the files of sentence-transformers
// too. transformers and sentence-transformers load the folder to the same outputs. Each file appears whole or not at all. A
// model that was loaded from the same folder may be saved there. Classes without a name are called LABEL_0 and so on.
//
// Only the layout of Hugging Face is written. The error is the file system's, or names an activation that a module of
// sentence-transformers cannot have.
func (m *Model) Save(dir string, o SaveOptions) error {
	c := m.Config
	c.Architectures = []string{architecture(c.ModelType, m.Task)}
	if m.Classifier != nil && m.Task != MultipleChoice {
		c.NameAll(m.Classifier.Out.Weight.Shape()[0])
	} else {
		c.Classes = models.Classes{}
	}
	parts, err := m.textParts()
	if err == nil && m.Task == Features && m.Sentences != nil {
		var more []modelfolder.Part
		more, err = m.Sentences.parts(c.HiddenSize)
		parts = append(parts, more...)
	}
	if err != nil {
		return fmt.Errorf("bert: %w", err)
	}
	y := family
	y.Names = m.AdapterNames()
	plain := *m
	plain.Sentences = nil // its weights have files of their own
	return y.Save(dir, modelfolder.Contents{Config: c, Model: &plain, Parts: parts}, o)
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

// module is an entry of modules.json.
type module struct {
	Index int    `json:"idx"`
	Name  string `json:"name"`
	Path  string `json:"path"`
	Type  string `json:"type"`
}

// parts returns the files of sentence-transformers.
func (s *Sentences) parts(width int) ([]modelfolder.Part, error) {
	var parts []modelfolder.Part
	var err error
	add := func(name string, v any) {
		if err == nil {
			var p modelfolder.Part
			p, err = part(name, v)
			parts = append(parts, p)
		}
	}
	const kinds = "sentence_transformers.models."
	list := []module{{0, "0", "", kinds + "Transformer"}, {1, "1", "1_Pooling", kinds + "Pooling"}}
	pooling := map[string]any{"word_embedding_dimension": width, "include_prompt": !s.ExcludePrompt}
	fields := []string{"cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"}
	for i, p := range poolings {
		pooling["pooling_mode_"+fields[i]] = slices.Contains(s.Pooling, p)
	}
	if !slices.IsSortedFunc(s.Pooling, func(a, b Pooling) int { return slices.Index(poolings, a) - slices.Index(poolings, b) }) {
		pooling = map[string]any{"word_embedding_dimension": width, "include_prompt": !s.ExcludePrompt, "pooling_mode": s.Pooling}
	}
	add("1_Pooling/config.json", pooling)
	for i, m := range s.Modules {
		kind := strings.TrimPrefix(strings.TrimPrefix(fmt.Sprintf("%T", m), "*"), "bert.")
		kind = strings.TrimPrefix(kind, "nn.")
		n := i + 2
		dir := fmt.Sprintf("%d_%s", n, kind)
		list = append(list, module{n, fmt.Sprint(n), dir, kinds + kind})
		switch m := m.(type) {
		case Normalize:
		case *nn.LayerNorm:
			add(path.Join(dir, "config.json"), map[string]any{"dimension": m.Weight.Len()})
			parts, err = addWeights(parts, err, dir, struct{ Norm *nn.LayerNorm }{m})
		case *Dense:
			class, known := className(m.Act)
			if !known {
				return nil, fmt.Errorf("module %d: sentence-transformers has no activation %v", i, m.Act)
			}
			shape := m.Linear.Weight.Shape()
			config := map[string]any{"in_features": shape[1], "out_features": shape[0], "bias": m.Linear.Bias != nil, "activation_function": class}
			if m.Residual || m.Project != nil {
				config["use_residual"] = true
			}
			add(path.Join(dir, "config.json"), config)
			parts, err = addWeights(parts, err, dir, m)
		default:
			return nil, fmt.Errorf("module %d: expected one of Dense, LayerNorm and Normalize, found %s", i, kind)
		}
	}
	add("modules.json", list)
	limits := map[string]any{"max_seq_length": nil, "do_lower_case": s.LowerCase}
	if s.MaxTokens > 0 {
		limits["max_seq_length"] = s.MaxTokens
	}
	add(sentenceConfigs[0], limits)
	c := map[string]any{"prompts": s.Prompts, "default_prompt_name": nil, "similarity_fn_name": s.similarity}
	if s.Prompts == nil {
		c["prompts"] = map[string]string{}
	}
	if s.similarity == "" {
		delete(c, "similarity_fn_name")
	}
	if s.DefaultPrompt != "" {
		c["default_prompt_name"] = s.DefaultPrompt
	}
	if s.Dim > 0 {
		c["truncate_dim"] = s.Dim
	}
	add(sentencesName, c)
	return parts, err
}

// className returns PyTorch's class of an activation.
func className(act autograd.Activation) (string, bool) {
	for class, a := range activationClasses {
		if a == act && a == autograd.ActNone {
			return "torch.nn.modules.linear." + class, true
		} else if a == act {
			return "torch.nn.modules.activation." + class, true
		}
	}
	return "", false
}

// addWeights adds the weights of a module.
func addWeights(parts []modelfolder.Part, err error, dir string, model any) ([]modelfolder.Part, error) {
	if err != nil {
		return nil, err
	}
	var entries []checkpoint.Entry
	for param, v := range nn.Values(model) {
		entries = append(entries, checkpoint.Entry{Name: moduleNames.Tensors(param)[0][0], Shape: v.Shape(), Floats: v.Values()})
	}
	var b bytes.Buffer
	err = checkpoint.Encode(&b, entries, checkpoint.WriteOptions{})
	return append(parts, modelfolder.Part{Name: path.Join(dir, checkpoint.SafetensorsName), Data: b.Bytes()}), err
}
