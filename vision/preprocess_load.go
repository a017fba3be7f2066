package vision

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/internal/strictjson"
)

// PreprocessorName is the file beside a model's weights that says how images are prepared.
const PreprocessorName = "preprocessor_config.json"

// Other files that say how images are prepared.
const (
	processorName = "processor_config.json" // transformers 5: the same, among the other inputs of a model
	modelName     = "config.json"           // timm: inside pretrained_cfg
)

// LoadPreprocess reads from a model folder how images are prepared. It looks where transformers 5 looks: for the
// image_processor inside processor_config.json, for preprocessor_config.json, and for timm's pretrained_cfg inside
// config.json. Where there is none of them, the error matches fs.ErrNotExist. [Preprocess.UnmarshalJSON] and
// [ParseTimm] describe the supported settings.
func LoadPreprocess(fsys fs.FS) (Preprocess, error) {
	var p Preprocess
	wrap := func(name string, err error) (Preprocess, error) {
		if err != nil {
			return Preprocess{}, fmt.Errorf("vision: %s: %w", name, err)
		}
		return p, nil
	}
	config, err := optional(fsys, modelName)
	if err != nil {
		return wrap(modelName, err)
	}
	var model struct {
		Type string `json:"model_type"`
	}
	if config != nil {
		// Only the type matters here. A model package reads the rest, and reports errors in it.
		_ = strictjson.Decode(config, &model)
	}
	data, err := optional(fsys, processorName)
	if err != nil {
		return wrap(processorName, err)
	}
	if data != nil {
		var nested struct {
			Image json.RawMessage `json:"image_processor"`
		}
		if err := strictjson.Decode(data, &nested); err != nil {
			return wrap(processorName, err)
		}
		if nested.Image != nil && !strictjson.Null(nested.Image) {
			return wrap(processorName, p.parse(nested.Image, model.Type))
		}
	}
	data, missing := smallfile.Read(fsys, PreprocessorName)
	if missing == nil {
		return wrap(PreprocessorName, p.parse(data, model.Type))
	}
	if config == nil || !errors.Is(missing, fs.ErrNotExist) {
		return Preprocess{}, fmt.Errorf("vision: %w", missing)
	}
	cfg, err := readTimm(config)
	if err != nil {
		return Preprocess{}, fmt.Errorf("vision: %w", missing)
	}
	return wrap(modelName, p.parseTimm(cfg, false))
}

// optional returns nil for a missing file.
func optional(fsys fs.FS, name string) ([]byte, error) {
	data, err := smallfile.Read(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}
