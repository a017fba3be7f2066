package mae

import (
	"fmt"
	"io/fs"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
)

// names ties the model's parameters to the names in files. transformers 5 writes the decoder's blocks under
// decoder_encoder.layer and reads both places; the older one, which all its versions read, is written.
var names = checkpoint.Names{
	Rules: append(append([]checkpoint.Rule{
		{"Decoder.Embed", "decoder.decoder_embed", "decoder_embed"},
		{"Decoder.MaskToken", "decoder.mask_token", "mask_token"},
		{"Decoder.Positions", "decoder.decoder_pos_embed", "decoder_pos_embed"},
		{"Decoder.Norm", "decoder.decoder_norm", "decoder_norm"},
		{"Decoder.Pred", "decoder.decoder_pred", "decoder_pred"},
	}, vit.EncoderRules()...), vit.BlockRules("Decoder.Blocks", vit.Places{
		Disk:     "decoder.decoder_layers",
		Disk5:    "decoder.decoder_encoder.layer",
		Memory:   "decoder.decoder_layers",
		Original: "decoder_blocks",
	})...),
	Prefixes: []string{"vit.", "module.", "model."},
}

// LoadOptions change how Load works; the zero value is strict.
type LoadOptions = vit.LoadOptions

// Load reads a model from a folder as Hugging Face lays it out: config.json (model_type vit_mae),
// preprocessor_config.json where it is there, and the weights in safetensors form. A file that holds the
// encoder alone loads with Lenient.
//
// Nothing in the folder is trusted. The error names the file and what is wrong with it, and matches
// fs.ErrNotExist when config.json or the weights are missing, a *checkpoint.FormatError when the weights are
// malformed, and a *checkpoint.MismatchError when their tensors are not those of the configuration.
func Load(fsys fs.FS, o LoadOptions) (*Model, error) {
	c, err := ReadConfig(fsys, modelfolder.ConfigName)
	if err != nil {
		return nil, err
	}
	f, err := modelfolder.OpenWeights(fsys, o.Unmapped, c.claim(o.Lenient))
	if err != nil {
		return nil, fmt.Errorf("mae: %w", err)
	}
	m := New(c, nil)
	if err := modelfolder.ReadPreprocess(fsys, &m.Preprocess); err != nil {
		return nil, fmt.Errorf("mae: %w", err)
	}
	opts := checkpoint.LoadOptions{Lenient: o.Lenient, Map: !o.Unmapped}
	if _, err := checkpoint.Load(f, &names, nn.Parameters(m), opts); err != nil {
		return nil, fmt.Errorf("mae: %w", err)
	}
	return m, nil
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

// Save writes the model to a folder, which it makes when it is not there: config.json,
// preprocessor_config.json and model.safetensors, as transformers' ViTMAEForPreTraining reads them. Each
// file appears whole or not at all. A model that was loaded from the same folder may be saved there. The error is
// the file system's, or Preprocess's when that is not valid.
func (m *Model) Save(dir string) error {
	c := m.Config
	c.ModelType, c.Architectures = "vit_mae", []string{"ViTMAEForPreTraining"}
	if err := modelfolder.Save(dir, c, m.Preprocess, &names, m); err != nil {
		return fmt.Errorf("mae: %w", err)
	}
	return nil
}
