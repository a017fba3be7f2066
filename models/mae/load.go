package mae

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
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
func Load(fsys fs.FS, o LoadOptions) (*Model, error) {
	c, err := ReadConfig(fsys, "config.json")
	if err != nil {
		return nil, err
	}
	f, err := vit.OpenWeights(fsys, c.Config, o)
	if err != nil {
		return nil, fmt.Errorf("mae: %w", err)
	}
	m := New(c, nil)
	p, err := vision.LoadPreprocess(fsys)
	switch {
	case err == nil:
		m.Preprocess = p
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("mae: %w", err)
	}
	opts := checkpoint.LoadOptions{Lenient: o.Lenient, Map: !o.Unmapped}
	if _, err := checkpoint.Load(f, &names, nn.Parameters(m), opts); err != nil {
		return nil, fmt.Errorf("mae: %w", err)
	}
	return m, nil
}

// Save writes the model to a folder, which it makes when it is not there: config.json,
// preprocessor_config.json and model.safetensors, as transformers' ViTMAEForPreTraining reads them. Each
// file appears whole or not at all.
func (m *Model) Save(dir string) error {
	if err := m.save(dir); err != nil {
		return fmt.Errorf("mae: %w", err)
	}
	return nil
}

func (m *Model) save(dir string) error {
	c := m.Config
	c.ModelType, c.Architectures = "vit_mae", []string{"ViTMAEForPreTraining"}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := vit.WriteJSON(filepath.Join(dir, "config.json"), c); err != nil {
		return err
	}
	if err := vit.WriteJSON(filepath.Join(dir, vision.PreprocessorFile), m.Preprocess); err != nil {
		return err
	}
	return checkpoint.Save(filepath.Join(dir, checkpoint.SafetensorsName), &names, nn.Parameters(m), checkpoint.WriteOptions{})
}
