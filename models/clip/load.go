package clip

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/text"
)

// LoadOptions change how [Open] and [Load] work; models.LoadOptions describes the fields. The zero value is strict.
type LoadOptions = models.LoadOptions

// SaveOptions change how [Model.Save] works; models.SaveOptions describes the fields.
type SaveOptions = models.SaveOptions

// Open reads the model at a path, a folder or one file of weights, as [Load] does. The error names the path. Beside a file,
// the other files of the folder count as in a folder. So a file of another model needs a folder of its own.
func Open(path string, o LoadOptions) (*Model, error) {
	return modelfolder.Open(path, family, o, read)
}

// Load reads a model from a folder: config.json, preprocessor_config.json where it is there, the files of the tokenizer, and
// the weights.
//
// Nothing in the folder is trusted. The error names the file, what was expected and what was found. Where a size in
// config.json and the weights disagree, it names the field and the tensor. It matches fs.ErrNotExist when the weights are
// missing, a *checkpoint.FormatError when they are malformed, and a *checkpoint.MismatchError when their tensors are not
// those of the configuration: it lists them all.
func Load(fsys fs.FS, o LoadOptions) (*Model, error) { return modelfolder.Load(fsys, family, o, read) }

func read(f *modelfolder.Folder) (*Model, error) {
	c := defaults()
	if err := f.Configure(&c); err != nil {
		return nil, err
	}
	if !f.Options.Lenient {
		if err := c.agree(f.Find); err != nil {
			return nil, fmt.Errorf("%s: %w", modelfolder.ConfigName, err)
		}
	}
	if err := c.claim().Check(f.Weights); err != nil {
		return nil, err
	}
	var stored tower.Grid
	if c.Vision.ResNet == nil {
		stored = c.Vision.grid()
	}
	height, width := c.Vision.Size()
	if f.Options.ImageSize != 0 {
		c.Vision.ImageWidth = 0
	}
	if err := f.Resize(&c.Vision.ImageSize, &c); err != nil {
		return nil, err
	}
	m := New(c, nil)
	images := modelfolder.Images{Height: height, Width: width, Channels: c.Vision.NumChannels}
	usual := c.Vision
	usual.SetSize(height, width)
	var err error
	if m.Preprocess, m.PreprocessAssumed, err = f.Preprocess(preprocess(usual), images); err != nil {
		return nil, err
	}
	if m.Tokenizer, err = tokenizer(f.FS); err != nil {
		return nil, err
	}
	fit := tower.FitPositions(stored, c.Vision.grid(), false)
	return m, f.Fill(m, func(param string, t checkpoint.Tensor, want []int) ([]float32, error) {
		if !strings.HasPrefix(param, "Vision.") {
			return nil, nil
		}
		return fit(param, t, want)
	})
}

// tokenizerFiles are the files of which a tokenizer is made, one of them at least.
var tokenizerFiles = []string{"tokenizer.json", "vocab.json", "merges.txt", "bpe_simple_vocab_16e6.txt.gz", "tokenizer_config.json", "spiece.model"}

// tokenizer opens the tokenizer of a folder. It is nil where the folder has none of the files of one.
func tokenizer(fsys fs.FS) (*text.Tokenizer, error) {
	for _, name := range tokenizerFiles {
		if _, err := fs.Stat(fsys, name); !errors.Is(err, fs.ErrNotExist) {
			return text.Open(fsys, text.OpenOptions{})
		}
	}
	return nil, nil
}

// agree returns an error that names the first field that the weights contradict.
func (c Config) agree(find tower.Finder) error {
	v := c.Vision
	y := tower.Statement{Name: func(field string) string { return "vision_config: " + field }}
	err := y.Agree(func(param string) (checkpoint.Tensor, bool) { return find("Vision." + param) }, tower.Sizes{
		Stack:    tower.Stack{Width: v.HiddenSize, Layers: v.NumHiddenLayers, Hidden: v.IntermediateSize, QKVBias: true},
		Channels: v.NumChannels, Patch: v.PatchSize, Grid: v.grid(), ClassToken: true, PreNorm: true, Norm: true,
	})
	if err != nil {
		return err
	}
	return tower.Statement{}.AgreeStack(find, "Text.Blocks", "text_config: ", tower.Stack{
		Width: c.Text.HiddenSize, Layers: c.Text.NumHiddenLayers, Hidden: c.Text.IntermediateSize, QKVBias: true,
	})
}

// claim returns the least that the weights of this configuration are.
func (c Config) claim() modelfolder.Claim {
	v, t := c.Vision, c.Text
	var vision modelfolder.Claim
	if v.ResNet != nil {
		vision = v.ResNet.claim(v.ImageSize, c.ProjectionDim)
	} else {
		e := v.encoder()
		vision = modelfolder.ClaimEncoder(v.NumHiddenLayers, e.Block(), v.NumChannels, v.PatchSize, e.Patches())
	}
	texts := modelfolder.ClaimBlocks(t.NumHiddenLayers, t.Block())
	texts.Values += float64(t.HiddenSize)*(float64(t.VocabSize)+float64(t.MaxPositionEmbeddings)) +
		float64(c.ProjectionDim)*(float64(v.HiddenSize)+float64(t.HiddenSize))
	return vision.Plus(texts)
}
