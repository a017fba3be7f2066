// Package timm reads and writes the config.json of a folder of timm's:
//
//	c, err := timm.Read(folder.Config)
//	…
//	a, err := timm.ArchitectureOf(c.Architecture)
//
// The file names an architecture and lists what differs from that name: model_args, the pooling and the classes. Sizes
// need not be in it: the weights tell them. Package vision reads pretrained_cfg, which says how images are prepared.
package timm

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/vision"
)

// Config is a config.json that timm wrote or is to read.
type Config struct {
	Architecture string     `json:"architecture"`
	NumClasses   int        `json:"num_classes"`
	NumFeatures  int        `json:"num_features"`
	GlobalPool   string     `json:"global_pool,omitempty"`
	LabelNames   Labels     `json:"label_names,omitempty"`
	ModelArgs    *Args      `json:"model_args"`
	Pretrained   Pretrained `json:"pretrained_cfg"`
}

// Pretrained is the part of a pretrained_cfg that is written: which images the weights want.
type Pretrained struct {
	NumClasses    int       `json:"num_classes"`
	InputSize     [3]int    `json:"input_size"` // channels, height, width
	FixedSize     bool      `json:"fixed_input_size"`
	Interpolation string    `json:"interpolation,omitempty"`
	CropPct       float64   `json:"crop_pct,omitempty"`
	CropMode      string    `json:"crop_mode,omitempty"`
	Mean          []float32 `json:"mean,omitempty"`
	Std           []float32 `json:"std,omitempty"`
	FirstConv     string    `json:"first_conv"`
	Classifier    string    `json:"classifier"`
}

// Read reads the config.json of a folder of timm's. LabelNames are those of whichever of three places has them. The
// error names the file and the field.
func Read(data []byte) (*Config, error) {
	c := struct {
		Architecture string `json:"architecture"`
		GlobalPool   string `json:"global_pool"`
		LabelNames   Labels `json:"label_names"`
		Labels       Labels `json:"labels"`
		ModelArgs    *Args  `json:"model_args"`
		Pretrained   struct {
			LabelNames Labels `json:"label_names"`
		} `json:"pretrained_cfg"`
	}{ModelArgs: &Args{}}
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	if c.ModelArgs == nil { // null
		c.ModelArgs = &Args{}
	}
	out := &Config{Architecture: c.Architecture, GlobalPool: c.GlobalPool, ModelArgs: c.ModelArgs}
	for _, labels := range []Labels{c.Pretrained.LabelNames, c.Labels, c.LabelNames} { // the last has precedence
		if len(labels) > 0 {
			out.LabelNames = labels
		}
	}
	return out, nil
}

// Classes returns the names of the classes. The error names the entry whose key is not a number.
func (c *Config) Classes() (models.Classes, error) {
	if len(c.LabelNames) == 0 {
		return models.Classes{}, nil
	}
	ids := models.LabelIDs{}
	for number, name := range c.LabelNames {
		i, err := strconv.Atoi(number)
		if err != nil {
			return models.Classes{}, fmt.Errorf("config.json: label_names: expected numbers, found %q", number)
		}
		ids[name] = i
	}
	return models.Classes{ID2Label: c.LabelNames, Label2ID: ids}, nil
}

// Labels are the names of classes by number.
type Labels map[string]string

// UnmarshalJSON reads a list of names, or an object with numbers for keys.
func (l *Labels) UnmarshalJSON(data []byte) error {
	var list []string
	if json.Unmarshal(data, &list) != nil {
		return json.Unmarshal(data, (*map[string]string)(l))
	}
	*l = Labels{}
	for i, name := range list {
		(*l)[strconv.Itoa(i)] = name
	}
	return nil
}

// activations are timm's names of activations, the preferred first, and Hugging Face's.
var activations = [][2]string{
	{"gelu", "gelu"}, {"gelu_tanh", "gelu_pytorch_tanh"}, {"quick_gelu", "quick_gelu"}, {"relu", "relu"}, {"silu", "silu"}, {"swish", "silu"},
	{"relu6", "relu6"}, {"leaky_relu", "leaky_relu"}, {"sigmoid", "sigmoid"}, {"tanh", "tanh"}, {"mish", "mish"}, {"hard_swish", "hardswish"},
}

// HiddenAct returns Hugging Face's name of an activation of timm's (act_layer).
func HiddenAct(actLayer string) (string, error) {
	for _, a := range activations {
		if a[0] == actLayer {
			return a[1], nil
		}
	}
	return "", fmt.Errorf("config.json: act_layer %q is not supported", actLayer)
}

// ActLayer returns timm's name of an activation of Hugging Face's (hidden_act).
func ActLayer(hiddenAct string) (string, error) {
	want, err := autograd.ActivationByName(hiddenAct)
	if err != nil {
		return "", err
	}
	for _, a := range activations {
		if act, err := autograd.ActivationByName(a[1]); err == nil && act == want {
			return a[0], nil
		}
	}
	return "", fmt.Errorf("hidden_act: timm has no activation %q", hiddenAct)
}

// cropPct returns the share of a resized image that is kept, as timm writes it: the shortest decimal for which timm,
// which cuts size/share to a whole number of pixels, resizes to resized.
func cropPct(size, resized int) float64 {
	for digits := 1.; digits <= 1e6; digits *= 10 {
		if share := math.Round(float64(size)/float64(resized)*digits) / digits; share > 0 && int(float64(size)/share) == resized {
			return share
		}
	}
	return float64(size) / (float64(resized) + 0.5)
}

// prepared describes the preprocessing of images of size × size pixels with the given number of channels.
func prepared(p *vision.Preprocess, channels, size, classes int) Pretrained {
	w := Pretrained{
		NumClasses: classes, FirstConv: "patch_embed.proj", Classifier: "head", InputSize: [3]int{channels, size, size}, FixedSize: true,
		Interpolation: p.Filter.String(), CropMode: "center", CropPct: 1, Mean: p.Mean[:], Std: p.Std[:],
	}
	if p.Std == [3]float32{} {
		w.Mean, w.Std = vision.HalfMean[:], vision.HalfStd[:]
	}
	if p.Mode == vision.Stretch {
		w.CropMode = "squash"
	}
	if p.Mode != vision.NoResize && p.Width > 0 && p.Width != size {
		w.CropPct = cropPct(size, p.Width)
	}
	return w
}
