package bert

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/nn"
)

// readModule reads the folder of one module after the first, which is the model itself.
func (s *Sentences) readModule(fsys fs.FS, dir, kind string) error {
	switch {
	case kind == "Pooling" && len(s.Pooling) == 0:
		return s.readPooling(fsys, dir)
	case len(s.Pooling) == 0:
		return fmt.Errorf("expected Transformer and then Pooling, found %q", kind)
	}
	var m Module
	var err error
	switch kind {
	case "Normalize":
		m, err = readNormalize(fsys, dir)
	case "Dropout":
		m, err = readDropout(fsys, dir)
	case "Dense":
		m, err = readDense(fsys, dir)
	case "LayerNorm":
		m, err = readLayerNorm(fsys, dir)
	default:
		return fmt.Errorf("%q is not supported", kind)
	}
	s.Modules = append(s.Modules, m)
	return err
}

// embedding is the name that sentence-transformers has for the vector of a text.
const embedding = "sentence_embedding"

// between are the fields of a module that say what it takes and gives.
type between struct {
	From string  `json:"module_input_name"`
	To   *string `json:"module_output_name"`
}

// check returns an error unless a module maps the vectors of texts.
func (b *between) check(file string) error {
	switch {
	case b.From != embedding:
		return fmt.Errorf("%s: module_input_name: expected %q, found %q", file, embedding, b.From)
	case b.To != nil && *b.To != embedding:
		return fmt.Errorf("%s: module_output_name: expected %q, found %q", file, embedding, *b.To)
	}
	return nil
}

// readNormalize reads the folder of a module Normalize, which may be missing.
func readNormalize(fsys fs.FS, dir string) (Module, error) {
	name := path.Join(dir, "config.json")
	c := between{From: embedding}
	if dir != "." { // there the file is the model's
		if _, err := readJSON(fsys, name, &c); err != nil {
			return nil, err
		}
	}
	return Normalize{}, c.check(name)
}

// readDropout reads the folder of a module Dropout.
func readDropout(fsys fs.FS, dir string) (Module, error) {
	name := path.Join(dir, "config.json")
	c := struct {
		Probability float32 `json:"dropout"`
	}{0.2}
	if _, err := readJSON(fsys, name, &c); err != nil {
		return nil, err
	}
	if !(c.Probability >= 0 && c.Probability < 1) {
		return nil, fmt.Errorf("%s: dropout: expected 0 or more and less than 1, found %v", name, c.Probability)
	}
	return Dropout{c.Probability}, nil
}

// poolingFields are the fields of Pooling. sentence-transformers refuses others.
var poolingFields = strictjson.Fields{
	{Name: "pooling_mode"}, {Name: "pooling_mode_cls_token"}, {Name: "pooling_mode_max_tokens"}, {Name: "pooling_mode_mean_tokens"},
	{Name: "pooling_mode_mean_sqrt_len_tokens"}, {Name: "pooling_mode_weightedmean_tokens"}, {Name: "pooling_mode_lasttoken"},
	{Name: "include_prompt"},
	{Name: "embedding_dimension", Use: strictjson.Harmless, Reason: "the width is that of the hidden states"},
	{Name: "word_embedding_dimension", Use: strictjson.Harmless, Reason: "the width is that of the hidden states"},
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
	if err := readNeeded(fsys, name, poolingFields, &c); err != nil {
		return err
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
func readDense(fsys fs.FS, dir string) (Module, error) {
	name := path.Join(dir, "config.json")
	c := struct {
		In       int     `json:"in_features"`
		Out      int     `json:"out_features"`
		Bias     bool    `json:"bias"`
		Act      *string `json:"activation_function"`
		Residual bool    `json:"use_residual"`
	}{Bias: true}
	if err := readNeeded(fsys, name, nil, &c); err != nil {
		return nil, err
	}
	b := between{From: embedding}
	if _, err := readJSON(fsys, name, &b); err != nil {
		return nil, err
	}
	if err := b.check(name); err != nil {
		return nil, err
	}
	const most = 1 << 16 // of features: far above any model
	if c.In < 1 || c.Out < 1 || c.In > most || c.Out > most {
		return nil, fmt.Errorf("%s: in_features and out_features: expected 1 to %d, found %d and %d", name, most, c.In, c.Out)
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
func readLayerNorm(fsys fs.FS, dir string) (Module, error) {
	name := path.Join(dir, "config.json")
	c := struct {
		Width int `json:"dimension"`
	}{}
	if err := readNeeded(fsys, name, nil, &c); err != nil {
		return nil, err
	}
	f, err := openModule(fsys, dir, float64(c.Width))
	if err != nil {
		return nil, err
	}
	n := struct{ Norm *nn.LayerNorm }{nn.NewLayerNorm(max(1, c.Width), 1e-5)}
	_, err = checkpoint.Load(f, &moduleNames, nn.Values(n), checkpoint.LoadOptions{})
	return n.Norm, err
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
