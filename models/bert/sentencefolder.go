package bert

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/nn"
)

// sentenceConfigs are the names of the file that holds max_seq_length.
var sentenceConfigs = []string{
	"sentence_bert_config.json", "sentence_roberta_config.json", "sentence_distilbert_config.json", "sentence_camembert_config.json",
	"sentence_albert_config.json", "sentence_xlm-roberta_config.json", "sentence_xlnet_config.json",
}

// readSentences reads what sentence-transformers keeps in a folder. Where there is no modules.json, it is what
// sentence-transformers assumes: the mean of the hidden states.
func readSentences(fsys fs.FS, width int) (*Sentences, error) {
	s := &Sentences{Pooling: []Pooling{PoolMean}}
	var modules []struct {
		Path string `json:"path"`
		Type string `json:"type"`
	}
	found, err := readJSON(fsys, "modules.json", &modules)
	if err != nil {
		return nil, err
	}
	if found {
		s.Pooling = nil
	}
	root := "."
	for i, m := range modules {
		name := path.Join(path.Clean("/" + m.Path)[1:]) // a path inside the folder
		if i == 0 {
			root = path.Join(".", name)
		}
		if err := s.readModule(fsys, name, m.Type[strings.LastIndexByte(m.Type, '.')+1:], i); err != nil {
			return nil, fmt.Errorf("modules.json: module %d: %w", i, err)
		}
	}
	if len(s.Pooling) == 0 {
		return nil, errors.New("modules.json: expected a module Pooling, found none")
	}
	for _, name := range sentenceConfigs {
		c := struct {
			Max       *int `json:"max_seq_length"`
			LowerCase bool `json:"do_lower_case"`
		}{}
		found, err := readJSON(fsys, path.Join(root, name), &c)
		if err != nil {
			return nil, err
		}
		if found {
			if s.LowerCase = c.LowerCase; c.Max != nil {
				if s.MaxTokens = *c.Max; s.MaxTokens < 1 {
					return nil, fmt.Errorf("%s: max_seq_length: expected at least 1, found %d", name, s.MaxTokens)
				}
			}
			break
		}
	}
	const name = sentencesName
	c := struct {
		Prompts    map[string]*string `json:"prompts"`
		Default    *string            `json:"default_prompt_name"`
		Dim        *int               `json:"truncate_dim"`
		Similarity *string            `json:"similarity_fn_name"`
	}{}
	if _, err := readJSON(fsys, name, &c); err != nil {
		return nil, err
	}
	for name, prompt := range c.Prompts {
		if prompt == nil { // a name without a prompt is as no name
			continue
		}
		if s.Prompts == nil {
			s.Prompts = map[string]string{}
		}
		s.Prompts[name] = *prompt
	}
	if c.Similarity != nil {
		s.similarity = *c.Similarity
	}
	if c.Default != nil {
		if s.DefaultPrompt = *c.Default; s.DefaultPrompt != "" {
			if _, ok := s.Prompts[s.DefaultPrompt]; !ok {
				return nil, fmt.Errorf("%s: default_prompt_name: expected one of the prompts, found %q", name, s.DefaultPrompt)
			}
		}
	}
	whole, err := s.check(width)
	if err != nil {
		return nil, fmt.Errorf("modules.json: %w", err)
	}
	if c.Dim != nil {
		if s.Dim = *c.Dim; s.Dim < 1 || s.Dim > whole {
			return nil, fmt.Errorf("%s: truncate_dim: expected 1 to %d, found %d", name, whole, s.Dim)
		}
	}
	return s, nil
}

// sentencesName is the file of the settings of sentence-transformers.
const sentencesName = "config_sentence_transformers.json"

// readJSON reads a file of the folder, if it is there.
func readJSON(fsys fs.FS, name string, target any) (found bool, err error) {
	data, err := smallfile.Read(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = strictjson.Decode(data, target)
	}
	if err != nil {
		return true, fmt.Errorf("%s: %w", name, err)
	}
	return true, nil
}

// readModule reads one module. The first is the model itself.
func (s *Sentences) readModule(fsys fs.FS, dir, kind string, i int) error {
	switch {
	case kind == "Transformer" && i == 0, kind == "Dropout":
		return nil
	case kind == "Pooling" && len(s.Pooling) == 0 && len(s.Modules) == 0:
		return s.readPooling(fsys, dir)
	case len(s.Pooling) == 0:
		return fmt.Errorf("expected Transformer and then Pooling, found %q", kind)
	case kind == "Normalize":
		s.Modules = append(s.Modules, Normalize{})
		return nil
	case kind == "Dense":
		m, err := readDense(fsys, dir)
		s.Modules = append(s.Modules, m)
		return err
	case kind == "LayerNorm":
		m, err := readLayerNorm(fsys, dir)
		s.Modules = append(s.Modules, m)
		return err
	}
	return fmt.Errorf("%q is not supported", kind)
}

// readPooling reads the folder of a module Pooling. Older ones have a field for each pooling.
func (s *Sentences) readPooling(fsys fs.FS, dir string) error {
	name := path.Join(dir, "config.json")
	c := struct {
		Mode    *modes `json:"pooling_mode"`
		First   bool   `json:"pooling_mode_cls_token"`
		Max     bool   `json:"pooling_mode_max_tokens"`
		Mean    bool   `json:"pooling_mode_mean_tokens"`
		Sqrt    bool   `json:"pooling_mode_mean_sqrt_len_tokens"`
		Weight  bool   `json:"pooling_mode_weightedmean_tokens"`
		Last    bool   `json:"pooling_mode_lasttoken"`
		Include *bool  `json:"include_prompt"`
	}{}
	found, err := readJSON(fsys, name, &c)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	if c.Mode != nil {
		s.Pooling = []Pooling(*c.Mode)
	} else {
		for i, on := range []bool{c.First, c.Max, c.Mean, c.Sqrt, c.Weight, c.Last} {
			if on {
				s.Pooling = append(s.Pooling, poolings[i])
			}
		}
	}
	if len(s.Pooling) == 0 {
		s.Pooling = []Pooling{PoolMean}
	}
	for _, p := range s.Pooling {
		if !slices.Contains(poolings, p) {
			return fmt.Errorf("%s: pooling_mode: expected one of %q, found %q", name, poolings, p)
		}
	}
	s.ExcludePrompt = c.Include != nil && !*c.Include
	return nil
}

// modes are one pooling or a list.
type modes []Pooling

// UnmarshalJSON reads a text or a list of texts.
func (m *modes) UnmarshalJSON(data []byte) error {
	var one string
	if strictjson.Decode(data, &one) == nil {
		*m = modes{Pooling(one)}
		return nil
	}
	return strictjson.Decode(data, (*[]Pooling)(m))
}

// activationClasses are the activations of PyTorch that modules name.
var activationClasses = map[string]autograd.Activation{
	"Tanh": autograd.ActTanh, "Identity": autograd.ActNone, "ReLU": autograd.ActRelu, "GELU": autograd.ActGelu,
	"Sigmoid": autograd.ActSigmoid, "SiLU": autograd.ActSilu,
}

// activationOf returns the activation of a class of PyTorch, such as torch.nn.modules.activation.Tanh.
func activationOf(class string) (autograd.Activation, error) {
	act, ok := activationClasses[class[strings.LastIndexByte(class, '.')+1:]]
	if !ok || !strings.HasPrefix(class, "torch.") {
		return 0, fmt.Errorf("the activation %q is not supported", class)
	}
	return act, nil
}

// moduleNames are the names of the tensors of modules.
var moduleNames = checkpoint.Names{Rules: []checkpoint.Rule{
	{"Linear", "linear"}, {"Project", "residual"}, {"Norm", "norm"},
}}

// readDense reads the folder of a module Dense.
func readDense(fsys fs.FS, dir string) (*Dense, error) {
	name := path.Join(dir, "config.json")
	c := struct {
		In       int     `json:"in_features"`
		Out      int     `json:"out_features"`
		Bias     bool    `json:"bias"`
		Act      *string `json:"activation_function"`
		Residual bool    `json:"use_residual"`
		From     string  `json:"module_input_name"`
		To       *string `json:"module_output_name"`
	}{Bias: true, From: "sentence_embedding"}
	if found, err := readJSON(fsys, name, &c); err != nil || !found {
		return nil, cmpErr(err, name)
	}
	const most = 1 << 16 // of features: far above any model
	if c.In < 1 || c.Out < 1 || c.In > most || c.Out > most {
		return nil, fmt.Errorf("%s: in_features and out_features: expected 1 to %d, found %d and %d", name, most, c.In, c.Out)
	}
	if c.From != "sentence_embedding" || c.To != nil && *c.To != c.From {
		return nil, fmt.Errorf("%s: module_input_name: expected the embedding of the sentence, found %q", name, c.From)
	}
	d := &Dense{Act: autograd.ActTanh, Residual: c.Residual}
	if c.Act != nil {
		var err error
		if d.Act, err = activationOf(*c.Act); err != nil {
			return nil, fmt.Errorf("%s: activation_function: %w", name, err)
		}
	}
	values := float64(c.In) * float64(c.Out)
	f, err := openModule(fsys, dir, values)
	if err != nil {
		return nil, err
	}
	d.Linear = nn.NewLinear(c.In, c.Out, c.Bias)
	if c.Residual && c.In != c.Out {
		d.Project = nn.NewLinear(c.In, c.Out, false)
	}
	_, err = checkpoint.Load(f, &moduleNames, nn.Values(d), checkpoint.LoadOptions{})
	return d, err
}

// readLayerNorm reads the folder of a module LayerNorm.
func readLayerNorm(fsys fs.FS, dir string) (*nn.LayerNorm, error) {
	name := path.Join(dir, "config.json")
	c := struct {
		Width int `json:"dimension"`
	}{}
	if found, err := readJSON(fsys, name, &c); err != nil || !found {
		return nil, cmpErr(err, name)
	}
	f, err := openModule(fsys, dir, float64(c.Width))
	if err != nil {
		return nil, err
	}
	n := struct{ Norm *nn.LayerNorm }{nn.NewLayerNorm(max(1, c.Width), 1e-5)}
	_, err = checkpoint.Load(f, &moduleNames, nn.Values(n), checkpoint.LoadOptions{})
	return n.Norm, err
}

// cmpErr returns err, or that the file is missing.
func cmpErr(err error, name string) error {
	if err == nil {
		err = fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return err
}

// openModule opens the weights of a module, which hold at least that many values.
func openModule(fsys fs.FS, dir string, values float64) (*checkpoint.File, error) {
	sub, err := fs.Sub(fsys, dir)
	if err != nil {
		return nil, err
	}
	f, err := checkpoint.OpenFolder(sub, checkpoint.OpenOptions{Unmapped: true})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	held := 0
	for t := range f.Tensors() {
		held += t.Len()
	}
	if values > float64(held) {
		return nil, fmt.Errorf("%s: the configuration describes at least %.0f values, the weights hold %d", path.Join(dir, f.Name()), values, held)
	}
	return f, nil
}
