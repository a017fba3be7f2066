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
	"strings"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/vision"
)

// Config is a config.json that timm wrote or is to read.
type Config struct {
	Architecture string         `json:"architecture"`
	NumClasses   int            `json:"num_classes"`
	NumFeatures  int            `json:"num_features"`
	GlobalPool   string         `json:"global_pool,omitempty"` // timm writes it and does not read it
	LabelNames   Labels         `json:"label_names,omitempty"`
	Problem      models.Problem `json:"problem_type,omitempty"` // transformers' wrapper around timm
	ModelArgs    *Args          `json:"model_args"`
	Pretrained   Pretrained     `json:"pretrained_cfg"`
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
	c, err := read(data)
	if err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	return c, nil
}

func read(data []byte) (*Config, error) {
	h, err := readHeader(data)
	if err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(h.Architecture, ".")
	if err := Supported(name); err != nil { // other models have other arguments
		return nil, err
	}
	out := &Config{Architecture: h.Architecture, Problem: h.Problem, LabelNames: h.LabelNames, ModelArgs: &Args{}}
	if h.ModelArgs != nil && !strictjson.Null(h.ModelArgs) {
		if err := out.ModelArgs.read(h.ModelArgs); err != nil {
			return nil, fmt.Errorf("model_args: %w", err)
		}
	}
	if out.ModelArgs.ImageSize == (config.Size{}) && h.FixedSize && !out.ModelArgs.DynamicImageSize && h.InputSize != nil {
		out.ModelArgs.ImageSize = config.Size{Height: h.InputSize[1], Width: h.InputSize[2]}
	}
	return out, nil
}

// Classes returns the names of the classes.
func (c *Config) Classes() models.Classes {
	out := models.Classes{Problem: c.Problem}
	if len(c.LabelNames) == 0 {
		return out
	}
	out.ID2Label, out.Label2ID = models.LabelNames(c.LabelNames), models.LabelIDs{}
	for number, name := range c.LabelNames {
		out.Label2ID[name], _ = strconv.Atoi(number) // Labels holds numbers alone
	}
	return out
}

// Labels are the names of classes by number.
type Labels models.LabelNames

// UnmarshalJSON reads a list of names, an object with numbers for keys, or null.
func (l *Labels) UnmarshalJSON(data []byte) error {
	if !strings.HasPrefix(string(data), "[") {
		return (*models.LabelNames)(l).UnmarshalJSON(data)
	}
	var list []string
	if err := strictjson.Decode(data, &list); err != nil {
		return err
	}
	*l = nil
	for i, name := range list {
		if *l == nil {
			*l = Labels{}
		}
		(*l)[strconv.Itoa(i)] = name
	}
	return nil
}

// MarshalJSON writes a list. timm takes an object as well, but transformers takes the keys of one for the names
// (TimmWrapperConfig.from_dict).
func (l Labels) MarshalJSON() ([]byte, error) {
	return json.Marshal(models.Classes{ID2Label: models.LabelNames(l)}.Labels())
}

// activations are timm's names of activations, the preferred first, and Hugging Face's.
var activations = [][2]string{
	{"gelu", "gelu"}, {"gelu_tanh", "gelu_pytorch_tanh"}, {"quick_gelu", "quick_gelu"}, {"relu", "relu"}, {"silu", "silu"}, {"swish", "silu"},
	{"relu6", "relu6"}, {"leaky_relu", "leaky_relu"}, {"sigmoid", "sigmoid"}, {"tanh", "tanh"}, {"mish", "mish"}, {"hard_swish", "hardswish"}, {"hardswish", "hardswish"}, {"identity", "linear"},
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

// prepared describes the preprocessing of images of a size with the given number of channels.
func prepared(p *vision.Preprocess, channels int, size config.Size, classes int) Pretrained {
	w := Pretrained{
		NumClasses: classes, FirstConv: "patch_embed.proj", Classifier: "head", InputSize: [3]int{channels, size.Height, size.Width}, FixedSize: true,
		Interpolation: p.Filter.String(), CropMode: "center", CropPct: 1, Mean: p.Mean[:], Std: p.Std[:],
	}
	if p.Std == [3]float32{} {
		w.Mean, w.Std = vision.HalfMean[:], vision.HalfStd[:]
	}
	if channels < 3 {
		w.Mean, w.Std = w.Mean[:channels], w.Std[:channels]
	}
	if p.Mode == vision.Stretch {
		w.CropMode = "squash"
	}
	// In the mode ShortSide, Width is that of the shorter side.
	side := size.Width
	if p.Mode == vision.ShortSide {
		side = min(size.Height, size.Width)
	}
	if p.Mode != vision.NoResize && p.Width > 0 && p.Width != side {
		w.CropPct = cropPct(side, p.Width)
	}
	return w
}
