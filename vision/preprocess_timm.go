package vision

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
)

// timmJSON is the part of timm's pretrained_cfg that says how images are prepared.
type timmJSON struct {
	InputSize     []int          `json:"input_size"` // channels, height, width
	TestInputSize []int          `json:"test_input_size"`
	FixedSize     maybe[bool]    `json:"fixed_input_size"`
	Interpolation maybe[string]  `json:"interpolation"`
	CropPct       maybe[float64] `json:"crop_pct"`
	TestCropPct   maybe[float64] `json:"test_crop_pct"`
	CropMode      maybe[string]  `json:"crop_mode"`
	Mean          channelsJSON   `json:"mean"`
	Std           channelsJSON   `json:"std"`
}

// maybe is a value that is zero where it is null: timm takes None, 0 and "" for absent.
type maybe[T any] struct{ value T }

func (m *maybe[T]) UnmarshalJSON(data []byte) error {
	*m = maybe[T]{}
	if strictjson.Null(data) {
		return nil
	}
	return strictjson.Decode(data, &m.value)
}

var errNoPretrained = errors.New("no pretrained_cfg: not a model folder of timm")

// ParseTimm reads the config.json of a timm model, which holds a pretrained_cfg. It returns the preparation for
// evaluation, as timm's create_transform makes it. Some models were trained at one size and are tested at a larger one.
// testSize selects the larger one where there is one (timm's use_test_size).
func ParseTimm(config []byte, testSize bool) (Preprocess, error) {
	var p Preprocess
	cfg, err := readTimm(config)
	if err == nil {
		err = p.parseTimm(cfg, testSize)
	}
	if err != nil {
		return Preprocess{}, fmt.Errorf("vision: timm: %w", err)
	}
	return p, nil
}

// timmConfig is the part of a config.json of timm's that says how images are prepared.
type timmConfig struct {
	pretrained []byte // the pretrained_cfg
	size       *sizeJSON
	channels   *int
}

// readTimm finds the pretrained_cfg in a config.json, and the model_args that have precedence over it. The oldest files
// have its fields at the top level.
func readTimm(config []byte) (timmConfig, error) {
	var c struct {
		Pretrained   json.RawMessage `json:"pretrained_cfg"`
		Architecture *string         `json:"architecture"`
		InputSize    json.RawMessage `json:"input_size"`
		Args         *struct {
			Size     *sizeJSON `json:"img_size"`
			Channels *int      `json:"in_chans"`
			Dynamic  *bool     `json:"dynamic_img_size"`
		} `json:"model_args"`
	}
	if err := strictjson.Decode(config, &c); err != nil {
		return timmConfig{}, err
	}
	out := timmConfig{pretrained: c.Pretrained}
	if c.Pretrained == nil {
		if c.Architecture == nil || *c.Architecture == "" || c.InputSize == nil {
			return out, errNoPretrained
		}
		out.pretrained = config
	}
	if a := c.Args; a != nil {
		out.channels = a.Channels
		if a.Dynamic == nil || !*a.Dynamic {
			out.size = a.Size
		}
	}
	return out, nil
}

// parseTimm reads a pretrained_cfg. r is size/crop_pct, each side cut to whole pixels. The crop_mode says how to resize
// before the center crop:
//
//	center  the shorter side to r, or if r is not square, the smallest size that covers r
//	squash  stretch to r
//	border  the largest size inside r, with a border in the mean's color
func (p *Preprocess) parseTimm(c timmConfig, testSize bool) error {
	var j timmJSON
	if err := strictjson.Decode(c.pretrained, &j); err != nil {
		return err
	}
	size, part := slices.Clone(j.InputSize), j.CropPct.value
	if size == nil {
		size = []int{3, 224, 224}
	}
	// Arguments of the model describe the weights and take precedence (timm's _parse_model_cfg).
	if s := c.size; s != nil && j.FixedSize.value && len(size) == 3 {
		size[1], size[2] = cmp.Or(s.bare, s.Height), cmp.Or(s.bare, s.Width)
	}
	if testSize && j.TestInputSize != nil {
		size = slices.Clone(j.TestInputSize)
	}
	if c.channels != nil && len(size) == 3 {
		size[0] = *c.channels
	}
	if testSize && j.TestCropPct.value != 0 {
		part = j.TestCropPct.value
	}
	if part == 0 {
		part = 0.875
	}
	if len(size) != 3 || size[0] != 1 && size[0] != 3 || min(size[1], size[2]) <= 0 || max(size[1], size[2]) > maxSide {
		return fmt.Errorf("input_size %v: expected 1 or 3 channels, a height and a width", size)
	}
	if !(part > 0 && part <= 16) {
		return fmt.Errorf("crop_pct %v: expected a fraction above 0", part)
	}
	q := Preprocess{
		Backend: Timm, Filter: Bicubic, Mean: ImageNetMean, Std: ImageNetStd,
		Width: side(float64(size[2]) / part), Height: side(float64(size[1]) / part),
		CropWidth: size[2], CropHeight: size[1],
	}
	if name := j.Interpolation.value; name != "" {
		i := slices.Index(filterNames[:], name)
		if i < 0 {
			return fmt.Errorf("interpolation %q: expected one of %q", name, filterNames)
		}
		q.Filter = Filter(i)
	}
	if err := setChannels(&q.Mean, "mean", j.Mean); err != nil {
		return err
	}
	if err := setChannels(&q.Std, "std", j.Std); err != nil {
		return err
	}
	switch j.CropMode.value {
	case "", "center":
		q.Mode = Cover
		if q.Width == q.Height {
			q.Mode, q.Height = ShortSide, 0
		}
	case "squash":
	case "border":
		q.Mode = Fit
		mean := [3]float64{float64(q.Mean[0]), float64(q.Mean[1]), float64(q.Mean[2])}
		for i := range mean {
			if j.Mean != nil {
				mean[i] = j.Mean[i%len(j.Mean)]
			}
		}
		for i, v := range mean {
			q.Fill[i] = uint8(min(max(math.RoundToEven(255*v), 0), 255))
		}
	default:
		return fmt.Errorf("crop_mode %q: expected center, squash or border", j.CropMode.value)
	}
	if err := q.check(); err != nil {
		return err
	}
	// After the check: a model of one channel can be used although timm's transform, with three means, cannot.
	q.Gray = size[0] == 1
	*p = q
	return nil
}
