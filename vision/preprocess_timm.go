package vision

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// timmJSON is the part of timm's pretrained_cfg that says how images are prepared.
type timmJSON struct {
	InputSize     []int        `json:"input_size"` // channels, height, width
	TestInputSize []int        `json:"test_input_size"`
	Interpolation string       `json:"interpolation"`
	CropPct       float64      `json:"crop_pct"`
	TestCropPct   float64      `json:"test_crop_pct"`
	CropMode      string       `json:"crop_mode"`
	Mean          channelsJSON `json:"mean"`
	Std           channelsJSON `json:"std"`
}

var errNoPretrained = errors.New("no pretrained_cfg: not a model folder of timm")

// ParseTimm reads the config.json of a timm model, which holds a pretrained_cfg. It returns the preparation for
// evaluation, as timm's create_transform makes it. Some models were trained at one size and are tested at a larger one.
// testSize selects the larger one where there is one (timm's use_test_size).
func ParseTimm(config []byte, testSize bool) (Preprocess, error) {
	var p Preprocess
	cfg, err := pretrainedCfg(config)
	if err == nil {
		err = p.parseTimm(cfg, testSize)
	}
	if err != nil {
		return Preprocess{}, fmt.Errorf("vision: timm: %w", err)
	}
	return p, nil
}

// pretrainedCfg finds the pretrained_cfg in a config.json. The oldest files have its fields at the top level.
func pretrainedCfg(config []byte) (json.RawMessage, error) {
	var c struct {
		Pretrained   json.RawMessage `json:"pretrained_cfg"`
		Architecture string          `json:"architecture"`
		InputSize    json.RawMessage `json:"input_size"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	switch {
	case c.Pretrained != nil:
		return c.Pretrained, nil
	case c.Architecture != "" && c.InputSize != nil:
		return config, nil
	}
	return nil, errNoPretrained
}

// parseTimm reads a pretrained_cfg. r is size/crop_pct, each side cut to whole pixels. The crop_mode says how to resize
// before the center crop:
//
//	center  the shorter side to r, or if r is not square, the smallest size that covers r
//	squash  stretch to r
//	border  the largest size inside r, with a border in the mean's color
func (p *Preprocess) parseTimm(cfg []byte, testSize bool) error {
	j := timmJSON{InputSize: []int{3, 224, 224}}
	if err := json.Unmarshal(cfg, &j); err != nil {
		return err
	}
	size, part := j.InputSize, j.CropPct
	if testSize && j.TestInputSize != nil {
		size = j.TestInputSize
	}
	if testSize && j.TestCropPct != 0 {
		part = j.TestCropPct
	}
	if part == 0 {
		part = 0.875
	}
	if len(size) != 3 || size[0] != 3 || min(size[1], size[2]) <= 0 || max(size[1], size[2]) > maxSide {
		return fmt.Errorf("input_size %v: expected 3 channels, a height and a width", size)
	}
	if !(part > 0 && part <= 16) {
		return fmt.Errorf("crop_pct %v: expected a fraction above 0", part)
	}
	q := Preprocess{
		Backend: Timm, Filter: Bicubic, Mean: ImageNetMean, Std: ImageNetStd,
		Width: side(float64(size[2]) / part), Height: side(float64(size[1]) / part),
		CropWidth: size[2], CropHeight: size[1],
	}
	if j.Interpolation != "" {
		i := slices.Index(filterNames[:], j.Interpolation)
		if i < 0 {
			return fmt.Errorf("interpolation %q: expected one of %q", j.Interpolation, filterNames)
		}
		q.Filter = Filter(i)
	}
	if err := setChannels(&q.Mean, "mean", j.Mean); err != nil {
		return err
	}
	if err := setChannels(&q.Std, "std", j.Std); err != nil {
		return err
	}
	switch j.CropMode {
	case "", "center":
		q.Mode = Cover
		if q.Width == q.Height {
			q.Mode, q.Height = ShortSide, 0
		}
	case "squash":
	case "border":
		q.Mode = Fit
		mean := [3]float64{float64(q.Mean[0]), float64(q.Mean[1]), float64(q.Mean[2])}
		if j.Mean != nil {
			mean = [3]float64(j.Mean)
		}
		for i, v := range mean {
			q.Fill[i] = uint8(min(max(math.RoundToEven(255*v), 0), 255))
		}
	default:
		return fmt.Errorf("crop_mode %q: expected center, squash or border", j.CropMode)
	}
	if err := q.check(); err != nil {
		return err
	}
	*p = q
	return nil
}
