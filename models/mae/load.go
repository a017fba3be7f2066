package mae

import (
	"fmt"
	"io/fs"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

// names ties the model's parameters to the names in files. transformers 5 writes the decoder's blocks under
// decoder_encoder.layer and reads both places; the older one, which all its versions read, is written.
var names = func() checkpoint.Names {
	n := tower.Names(
		checkpoint.Rule{"Decoder.Embed", "decoder.decoder_embed", "decoder_embed"},
		checkpoint.Rule{"Decoder.MaskToken", "decoder.mask_token", "mask_token"},
		checkpoint.Rule{"Decoder.Positions", "decoder.decoder_pos_embed", "decoder_pos_embed"},
		checkpoint.Rule{"Decoder.Norm", "decoder.decoder_norm", "decoder_norm"},
		checkpoint.Rule{"Decoder.Pred", "decoder.decoder_pred", "decoder_pred"},
	)
	n.Rules = append(n.Rules, tower.Blocks("Decoder.Blocks", "decoder.decoder_layers", "decoder_blocks", "decoder.decoder_layers")...)
	n.Rules = append(n.Rules, tower.Blocks("Decoder.Blocks", "decoder.decoder_encoder.layer")...)
	return n
}()

// LoadOptions change how Load works; the zero value is strict.
type LoadOptions = vit.LoadOptions

// Load reads a model from a folder, whichever release it is from: as Hugging Face lays it out, with config.json
// (model_type vit_mae), preprocessor_config.json where it is there, and the weights; or the original release's file
// alone (mae_visualize_*.pth and the like), whose tensors tell the sizes, with 64 values a head in the encoder and 32
// in the decoder. Such a file does not tell NormPixLoss, which stays false: set it in Config. A file that holds the
// encoder alone (mae_pretrain_*.pth), from which [Model.Classifier] can be made, loads with Lenient; package vit
// reads it as well.
//
// Nothing in the folder is trusted. The error names the file and what is wrong with it, and matches
// fs.ErrNotExist when the weights are missing, a *checkpoint.FormatError when they are malformed, and a
// *checkpoint.MismatchError when their tensors are not those of the configuration: it lists them all.
func Load(fsys fs.FS, o LoadOptions) (*Model, error) {
	m, err := read(fsys, o)
	if err != nil {
		return nil, fmt.Errorf("mae: %w", err)
	}
	return m, nil
}

func read(fsys fs.FS, o LoadOptions) (*Model, error) {
	form, _, err := modelfolder.FormOf(fsys)
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
	if form != modelfolder.HuggingFace {
		if c, err = bareConfig(names.Finder(f)); err == nil {
			err = c.Validate()
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
	}
	if err := c.claim(o.Lenient).Check(f); err != nil {
		return nil, err
	}
	from := c.ImageSize
	if o.ImageSize != 0 {
		c.ImageSize = o.ImageSize
		if err := c.Validate(); err != nil {
			return nil, fmt.Errorf("pictures of %d pixels: %w", o.ImageSize, err)
		}
	}
	m := New(c, nil)
	m.Preprocess = vision.ImageNet(from)
	if err := modelfolder.ReadPreprocess(fsys, &m.Preprocess, from); err != nil {
		return nil, err
	}
	modelfolder.Rescale(&m.Preprocess, c.ImageSize, from)
	_, err = checkpoint.Load(f, &names, nn.Values(m), checkpoint.LoadOptions{
		Lenient:  o.Lenient,
		Map:      true,
		KeepHalf: !o.Widen,
		Fit:      tower.Fit(from/c.PatchSize, c.ImageSize/c.PatchSize, false),
	})
	if err != nil {
		return nil, err
	}
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
	c := Base()
	c.NormPixLoss = false
	c.NumChannels, c.PatchSize, c.ImageSize = s.Channels, s.Patch, s.Patch*s.Side
	c.HiddenSize, c.NumHiddenLayers, c.IntermediateSize, c.QKVBias = s.Width, s.Layers, s.Hidden, s.QKVBias
	if c.NumAttentionHeads, err = tower.Heads(s.Width); err != nil {
		return Config{}, err
	}
	if _, ok := find("Decoder.Embed.Weight"); !ok {
		return c, nil // the encoder alone
	}
	d, err := tower.ReadStack(find, "Decoder.Blocks")
	if err != nil {
		return Config{}, err
	}
	c.DecoderHiddenSize, c.DecoderNumHiddenLayers, c.DecoderIntermediateSize = d.Width, d.Layers, d.Hidden
	if d.Width%32 != 0 {
		return Config{}, fmt.Errorf("the weights do not tell the number of the decoder's heads, and a width of %d is no multiple of 32: give a config.json with it", d.Width)
	}
	c.DecoderNumAttentionHeads = d.Width / 32
	return c, nil
}

// claim returns the least that the weights of this configuration are. With lenient they may lack the decoder, if
// it is no larger than the published one.
func (c Config) claim(lenient bool) modelfolder.Claim {
	tower := func(c vit.Config) modelfolder.Claim {
		blocks := modelfolder.Blocks(c.NumHiddenLayers, c.HiddenSize, c.IntermediateSize)
		return blocks.Plus(modelfolder.Patches(c.HiddenSize, c.NumChannels, c.PatchSize, c.ImageSize))
	}
	encoder, decoder := tower(c.Config), tower(c.decoder())
	if lenient && decoder.Values <= tower(Base().decoder()).Values && c.DecoderNumHiddenLayers <= Base().DecoderNumHiddenLayers {
		return encoder
	}
	return encoder.Plus(decoder)
}

// A SaveOption changes how Save writes.
type SaveOption func(*saving)

type saving struct {
	column string
	dtype  checkpoint.DType
}

// OriginalNames writes the weights under the names of facebookresearch/mae, whose models load them as the state
// dictionary of model.safetensors; config.json stays Hugging Face's.
func OriginalNames() SaveOption { return func(s *saving) { s.column = tower.Timm } }

// StoredAs writes the weights as checkpoint.F16 or checkpoint.BF16 instead of F32.
func StoredAs(d checkpoint.DType) SaveOption { return func(s *saving) { s.dtype = d } }

// Save writes the model to a folder, which it makes when it is not there: config.json,
// preprocessor_config.json and model.safetensors, as transformers' ViTMAEForPreTraining reads them. Each
// file appears whole or not at all. A model that was loaded from the same folder may be saved there. The error is
// the file system's, or Preprocess's when that is not valid.
func (m *Model) Save(dir string, opts ...SaveOption) error {
	s := saving{column: tower.HuggingFace}
	for _, o := range opts {
		o(&s)
	}
	c := m.Config
	c.ModelType, c.Architectures = "vit_mae", []string{"ViTMAEForPreTraining"}
	err := modelfolder.Save(dir, modelfolder.Contents{
		Config: c, Preprocess: m.Preprocess, Names: names.Writing(s.column), Model: m,
		Weights: checkpoint.WriteOptions{DType: s.dtype},
	})
	if err != nil {
		return fmt.Errorf("mae: %w", err)
	}
	return nil
}
