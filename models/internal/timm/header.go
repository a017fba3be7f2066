package timm

import (
	"encoding/json"
	"fmt"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/vision"
)

// Header is what a config.json of timm's says of any model.
type Header struct {
	Architecture string
	ModelArgs    json.RawMessage // the arguments beside the name; nil or null for none
	InputSize    []int           // channels, height and width; nil where the file does not say
	FixedSize    bool            // the model takes images of that size alone
	LabelNames   Labels          // those of whichever of three places has them
	Problem      models.Problem
}

// ReadHeader reads the config.json of a folder of timm's. The error names the file and the field.
func ReadHeader(data []byte) (*Header, error) {
	h, err := readHeader(data)
	if err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	return h, nil
}

func readHeader(data []byte) (*Header, error) {
	if err := configFields.Check(data); err != nil {
		return nil, err
	}
	c := struct {
		Architecture string          `json:"architecture"`
		LabelNames   Labels          `json:"label_names"`
		Labels       Labels          `json:"labels"`
		Problem      models.Problem  `json:"problem_type"`
		ModelArgs    json.RawMessage `json:"model_args"`
		Pretrained   json.RawMessage `json:"pretrained_cfg"`
	}{}
	if err := strictjson.Decode(data, &c); err != nil {
		return nil, err
	}
	p := struct {
		InputSize  []int  `json:"input_size"`
		FixedSize  *bool  `json:"fixed_input_size"`
		LabelNames Labels `json:"label_names"`
	}{}
	where, cfg := "pretrained_cfg: ", []byte(c.Pretrained)
	if cfg == nil { // the oldest files have its fields at the top level
		where, cfg = "", data
	}
	if !strictjson.Null(cfg) {
		err := pretrainedFields.Check(cfg)
		if err == nil {
			err = strictjson.Decode(cfg, &p)
		}
		if err != nil {
			return nil, fmt.Errorf("%s%w", where, err)
		}
	}
	if p.InputSize != nil && len(p.InputSize) != 3 {
		return nil, fmt.Errorf("%sinput_size: expected channels, height and width, found %d numbers", where, len(p.InputSize))
	}
	h := &Header{Architecture: c.Architecture, ModelArgs: c.ModelArgs, InputSize: p.InputSize, FixedSize: p.FixedSize != nil && *p.FixedSize, Problem: c.Problem}
	for _, labels := range []Labels{p.LabelNames, c.Labels, c.LabelNames} { // the last has precedence
		if len(labels) > 0 {
			h.LabelNames = labels
		}
	}
	return h, nil
}

// Prepared describes the preprocessing of images of a size, for a model that also takes others.
func Prepared(p *vision.Preprocess, channels int, size config.Size, classes int) Pretrained {
	w := prepared(p, channels, size, classes)
	w.FixedSize = false
	return w
}
