package bert

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/nn"
)

// module is an entry of modules.json.
type module struct {
	Index int    `json:"idx"`
	Name  string `json:"name"`
	Path  string `json:"path"`
	Type  string `json:"type"`
}

// kinds stands before the names of the classes of modules.
const kinds = "sentence_transformers.models."

// firstModule is the model.
var firstModule = module{0, "0", "", kinds + "Transformer"}

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
	list := []module{firstModule, {1, "1", "1_Pooling", kinds + "Pooling"}}
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
		case Dropout:
			add(path.Join(dir, "config.json"), map[string]any{"dropout": m.Probability})
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
			if nn.Quantized(m) {
				return nil, fmt.Errorf("module %d: expected float32 weights, found quantized ones: quantize the model by a rule that is simd.Strict for Sentences", i)
			}
			add(path.Join(dir, "config.json"), config)
			parts, err = addWeights(parts, err, dir, m)
		default:
			return nil, fmt.Errorf("module %d: expected one of Dense, Dropout, LayerNorm and Normalize, found %s", i, kind)
		}
	}
	add("modules.json", list)
	add(sentenceConfigs[0], s.limits())
	c := s.prompts()
	if s.similarity != "" {
		c["similarity_fn_name"] = s.similarity
	}
	if s.Dim > 0 {
		c["truncate_dim"] = s.Dim
	}
	add(sentencesName, c)
	return parts, err
}

// zero reports whether texts are read as transformers reads them.
func (p *Preprocess) zero() bool {
	return len(p.Prompts) == 0 && p.DefaultPrompt == "" && p.MaxTokens == 0 && !p.LowerCase
}

// scoreParts returns the files of a CrossEncoder of sentence-transformers.
func (p *Preprocess) scoreParts() ([]modelfolder.Part, error) {
	limits, c := p.limits(), p.prompts()
	limits["transformer_task"], c["model_type"] = "sequence-classification", scoreModel
	var parts []modelfolder.Part
	for _, f := range []struct {
		name  string
		value any
	}{{"modules.json", []module{firstModule}}, {sentenceConfigs[0], limits}, {sentencesName, c}} {
		file, err := part(f.name, f.value)
		if err != nil {
			return nil, err
		}
		parts = append(parts, file)
	}
	return parts, nil
}

// limits are the fields of the module Transformer.
func (p *Preprocess) limits() map[string]any {
	c := map[string]any{"max_seq_length": nil, "do_lower_case": p.LowerCase}
	if p.MaxTokens > 0 {
		c["max_seq_length"] = p.MaxTokens
	}
	return c
}

// prompts are the fields of config_sentence_transformers.json.
func (p *Preprocess) prompts() map[string]any {
	c := map[string]any{"prompts": p.Prompts, "default_prompt_name": nil}
	if p.Prompts == nil {
		c["prompts"] = map[string]string{}
	}
	if p.DefaultPrompt != "" {
		c["default_prompt_name"] = p.DefaultPrompt
	}
	return c
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
