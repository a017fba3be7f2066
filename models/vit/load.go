package vit

import (
	"fmt"
	"io/fs"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

// LoadOptions change how Load works; the zero value is strict.
type LoadOptions struct {
	// File is the name of the weights in the folder. "" means model.safetensors and the other usual names, or
	// else the only file of the folder that can be weights.
	File string
	// ImageSize, when it is not 0, is the size of the pictures that the model is to have, a multiple of its patch
	// size. Position embeddings for another size are resized as Config.AntialiasPositions says, and Preprocess
	// in proportion.
	ImageSize int
	// Lenient loads the tensors that fit and leaves the other parameters at zero.
	Lenient bool
	// Unmapped reads the weights into memory instead of mapping the file, which must not change while a
	// model uses it.
	Unmapped bool
	// Widen turns half-precision weights into float32 as they are loaded. Without it they stay as they are, in
	// half the memory, and give the same results: inference widens them as it goes, which takes it a few percent
	// longer, and a parameter that is trained becomes float32 with its first update.
	Widen bool
}

// Load reads a model from a folder, whichever release it is from:
//
//   - Hugging Face: config.json (model_type vit), preprocessor_config.json where it is there, and the weights.
//   - timm: config.json with an architecture and a pretrained_cfg, and the weights.
//   - The original release of DeiT or MAE, or a file of timm's: the weights alone. The sizes are those of the
//     tensors, with 64 values a head; the norms' epsilon is timm's, 1e-6, and Preprocess is [vision.ImageNet].
//
// A file without a classifier gives a model without a head. Relatives whose arithmetic is another, such as those with
// register or distillation tokens, are refused.
//
// Nothing in the folder is trusted. The error names the file and what is wrong with it, and matches
// fs.ErrNotExist when the weights are missing, a *checkpoint.FormatError when they are malformed, and a
// *checkpoint.MismatchError when their tensors are not those of the configuration: it lists them all.
func Load(fsys fs.FS, o LoadOptions) (*Model, error) {
	m, err := read(fsys, o)
	if err != nil {
		return nil, fmt.Errorf("vit: %w", err)
	}
	return m, nil
}

func read(fsys fs.FS, o LoadOptions) (*Model, error) {
	form, data, err := modelfolder.FormOf(fsys)
	if err != nil {
		return nil, err
	}
	var c Config
	if form == modelfolder.HuggingFace {
		if c, err = readConfig(fsys, modelfolder.ConfigName); err != nil {
			return nil, err
		}
	}
	f, err := modelfolder.Open(fsys, o.File, o.Unmapped)
	if err != nil {
		return nil, err
	}
	if !o.Lenient {
		if err := refuseForeign(f); err != nil {
			return nil, err
		}
	}
	find := names.Finder(f)
	switch form {
	case modelfolder.Timm:
		c, err = timmConfig(data, find)
	case modelfolder.Bare:
		c, err = bareConfig(find)
	}
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	claim := modelfolder.Blocks(c.NumHiddenLayers, c.HiddenSize, c.IntermediateSize)
	claim = claim.Plus(modelfolder.Patches(c.HiddenSize, c.NumChannels, c.PatchSize, c.ImageSize))
	if err := claim.Check(f); err != nil {
		return nil, err
	}
	n, err := classes(find, c.HiddenSize)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	side := c.side()
	m, err := empty(fsys, form, c, n, o.ImageSize)
	if err != nil {
		return nil, err
	}
	_, err = checkpoint.Load(f, &names, nn.Values(m), checkpoint.LoadOptions{
		Lenient:  o.Lenient,
		Map:      true,
		KeepHalf: !o.Widen,
		Fit:      tower.Fit(side, m.Config.side(), c.AntialiasPositions),
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// empty returns a model of zeros for pictures of the wanted size, 0 for the configured one, with the folder's
// preprocessing.
func empty(fsys fs.FS, form modelfolder.Form, c Config, classes, size int) (*Model, error) {
	from := c.ImageSize
	if size != 0 {
		c.ImageSize = size
		if err := c.Validate(); err != nil {
			return nil, fmt.Errorf("pictures of %d pixels: %w", size, err)
		}
	}
	m := New(c, classes, nil)
	if form != modelfolder.HuggingFace {
		m.Preprocess = vision.ImageNet(from)
	} else {
		m.Preprocess = vision.Half(from)
	}
	if err := modelfolder.ReadPreprocess(fsys, &m.Preprocess, from); err != nil {
		return nil, err
	}
	modelfolder.Rescale(&m.Preprocess, c.ImageSize, from)
	return m, nil
}

// bareConfig is the configuration of weights that come without one.
func bareConfig(find tower.Finder) (Config, error) {
	if err := tower.WantConfig(find); err != nil {
		return Config{}, err
	}
	s, err := tower.ReadSizes(find)
	if err != nil {
		return Config{}, err
	}
	c := sized(s)
	if c.NumAttentionHeads, err = tower.Heads(s.Width); err != nil {
		return Config{}, err
	}
	if c.PreNorm { // CLIP's
		c.LayerNormEps = 1e-5
	}
	switch {
	case !s.Norm:
		c.Pooling = MeanPooling
	case !s.ClassToken:
		c.Pooling = NormMeanPooling
	}
	return c, nil
}

// sized is the configuration that the sizes of an encoder give, with timm's epsilon, without the number of heads
// and what no size tells. Position embeddings are resized as the original releases do it.
func sized(s tower.Sizes) Config {
	c := defaults()
	c.LayerNormEps = 1e-6
	c.NumChannels, c.PatchSize, c.ImageSize = s.Channels, s.Patch, s.Patch*s.Side
	c.HiddenSize, c.NumHiddenLayers, c.IntermediateSize = s.Width, s.Layers, s.Hidden
	c.QKVBias, c.NoClassToken, c.PreNorm = s.QKVBias, !s.ClassToken, s.PreNorm
	if s.LayerScale {
		c.LayerScaleInit = 1e-5
	}
	return c
}

// classes returns the number of rows of the classifier in a file, 0 when it has none. Rows of another width than
// the model's could be many in a small file.
func classes(find tower.Finder, width int) (int, error) {
	t, ok := find("Head.Weight")
	if !ok {
		return 0, nil
	}
	if len(t.Shape) != 2 || t.Shape[1] != width {
		return 0, fmt.Errorf("%s: expected the shape [classes %d], found %v", t.Name, width, t.Shape)
	}
	return t.Shape[0], nil
}
