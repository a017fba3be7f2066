package mae

import (
	"fmt"
	"io/fs"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/vision"
)

// names ties the model's parameters to the names in files. transformers 5 writes the decoder's blocks under
// decoder_encoder.layer and reads both places; the older one, which all its versions read, is written.
var names = func() checkpoint.Names {
	n := tower.Names(models.Original,
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

// AdapterNames returns the table of names for package nn/lora. The adapters that lora.Save writes with it load in PEFT
// beside transformers 5, into ViTMAEForPreTraining. lora.Load also reads an adapter of ViTMAEModel, which has no decoder.
func (m *Model) AdapterNames() *checkpoint.Names { return names.Writing(tower.InMemory) }

// TensorNames returns the table of the names of tensors in the model's files. It reads the names of every library and writes those
// of a layout. It panics for models.Timm.
func (m *Model) TensorNames(layout models.Layout) *checkpoint.Names {
	return names.Writing(layout.String())
}

// family says how masked autoencoders lie in folders.
var family = modelfolder.Family{Package: "mae", ModelType: "vit_mae", Names: &names, Fields: configFields, Images: true}

// LoadOptions change how [Open] and [Load] work; models.LoadOptions describes the fields. The zero value is strict.
type LoadOptions = models.LoadOptions

// SaveOptions change how [Model.Save] works; models.SaveOptions describes the fields.
type SaveOptions = models.SaveOptions

// Open reads the model at a path, a folder or one file of weights, as [Load] does. The error names the path. Beside a file,
// config.json and preprocessor_config.json count as in a folder. So a file of another model needs a folder of its own.
func Open(path string, o LoadOptions) (*Model, error) {
	return modelfolder.Open(path, family, o, read)
}

// Load reads a model from a folder of one of these kinds:
//
//   - Hugging Face: config.json (model_type vit_mae), preprocessor_config.json where it is there, and the weights.
//   - The original release's file alone (mae_visualize_*.pth and the like), whose tensors tell the sizes, with 64
//     values a head in the encoder and 32 in the decoder. Such a file does not tell NormPixLoss, which stays false:
//     set it in Config.
//
// A file that holds the encoder alone (mae_pretrain_*.pth) loads with Lenient, and [Model.Classifier] can be made of
// it. Package vit reads it as well.
//
// Nothing in the folder is trusted. The error names the file, what was expected and what was found. Where a size in
// config.json and the weights disagree, it names the field and the tensor. It matches fs.ErrNotExist when the weights are
// missing, a *checkpoint.FormatError when they are malformed, and a *checkpoint.MismatchError when their tensors are not
// those of the configuration: it lists them all.
func Load(fsys fs.FS, o LoadOptions) (*Model, error) { return modelfolder.Load(fsys, family, o, read) }

func read(f *modelfolder.Folder) (*Model, error) {
	c := defaults()
	var err error
	if f.Form == modelfolder.HuggingFace {
		err = f.Configure(&c)
	} else {
		c, err = sizes(f)
		err = f.Checked(c, err)
	}
	if err != nil {
		return nil, err
	}
	if f.Form == modelfolder.HuggingFace && !f.Options.Lenient {
		if err := c.agree(f); err != nil {
			return nil, fmt.Errorf("%s: %w", modelfolder.ConfigName, err)
		}
	}
	if err := c.claim(f.Options.Lenient).Check(f.Weights); err != nil {
		return nil, err
	}
	size, stored := c.ImageSize, grid(c)
	if err := f.Resize(&c.ImageSize, &c); err != nil {
		return nil, err
	}
	m := New(c, nil)
	if m.Preprocess, m.PreprocessAssumed, err = f.Preprocess(vision.ImageNet(size), modelfolder.Images{Height: size, Width: size, Channels: c.NumChannels}); err != nil {
		return nil, err
	}
	m.Math = f.Math()
	return m, f.Fill(m, tower.FitPatches, tower.FitPositions(stored, grid(c), tower.Interpolation{}))
}

// grid returns the grid of patches of a configuration.
func grid(c Config) tower.Grid {
	rows, columns := c.Grid()
	return tower.Grid{Rows: rows, Columns: columns}
}

// sizes is the configuration of weights that come without one.
func sizes(f *modelfolder.Folder) (Config, error) {
	if err := tower.WantConfig(f.Find); err != nil {
		return Config{}, err
	}
	s, err := tower.ReadSizes(f.Find, nil)
	if err != nil {
		return Config{}, err
	}
	c := Base()
	c.NormPixLoss = false
	c.NumChannels, c.PatchSize, c.ImageSize = s.Channels, s.Patch, s.Patch*s.Grid.Rows // the grid is square
	c.HiddenSize, c.NumHiddenLayers, c.IntermediateSize, c.QKVBias = s.Width, s.Layers, s.Hidden, s.QKVBias
	if c.NumAttentionHeads, err = tower.Heads(s.Width); err != nil {
		return Config{}, err
	}
	if _, ok := f.Find("Decoder.Embed.Weight"); !ok {
		return c, nil // the encoder alone
	}
	d, err := tower.ReadStack(f.Find, "Decoder.Blocks")
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

// agree returns an error that names the first field that the weights contradict.
func (c Config) agree(f *modelfolder.Folder) error {
	stack := func(c vit.EncoderConfig) tower.Stack {
		return tower.Stack{Width: c.HiddenSize, Layers: c.NumHiddenLayers, Hidden: c.IntermediateSize, QKVBias: c.QKVBias}
	}
	y := tower.Statement{Found: f.Found}
	encoder := tower.Sizes{Stack: stack(c.EncoderConfig), Channels: c.NumChannels, Patch: c.PatchSize, Grid: grid(c), ClassToken: true}
	if err := y.Agree(f.Find, encoder); err != nil {
		return err
	}
	return y.AgreeStack(f.Find, "Decoder.Blocks", "decoder_", stack(c.decoder()))
}

// claim returns the least that the weights of this configuration are. With lenient they may lack the decoder, if
// it is no larger than the published one.
func (c Config) claim(lenient bool) modelfolder.Claim {
	tower := func(c vit.EncoderConfig) modelfolder.Claim {
		return modelfolder.ClaimEncoder(c.NumHiddenLayers, c.Block(), c.NumChannels, c.PatchSize, c.Patches())
	}
	encoder, decoder := tower(c.EncoderConfig), tower(c.decoder())
	if lenient && decoder.Values <= tower(Base().decoder()).Values && c.DecoderNumHiddenLayers <= Base().DecoderNumHiddenLayers {
		return encoder
	}
	return encoder.Plus(decoder)
}

// Save writes the model to a folder, which it makes when it is not there: config.json,
// preprocessor_config.json and model.safetensors, as transformers' ViTMAEForPreTraining reads them. Each
// file appears whole or not at all. A model that was loaded from the same folder may be saved there.
//
// Layout models.Original writes the weights under the names of facebookresearch/mae, whose models load them as the state
// dictionary of model.safetensors; config.json stays Hugging Face's.
//
// The error is the file system's, or Preprocess's when that is not valid.
func (m *Model) Save(dir string, o SaveOptions) error {
	c := m.Config
	c.ModelType, c.Architectures = family.ModelType, []string{"ViTMAEForPreTraining"}
	return family.Save(dir, modelfolder.Contents{Config: c, Preprocess: &m.Preprocess, Model: m}, o)
}
