package vision

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"github.com/fovea-ml/fovea/internal/smallfile"
)

// PreprocessorFile is the name of the file beside a model's weights that says how its images are prepared.
const PreprocessorFile = "preprocessor_config.json"

// LoadPreprocess reads preprocessor_config.json of a model folder, as transformers' ViTImageProcessor and its
// predecessors write it. Without the file the error matches fs.ErrNotExist.
func LoadPreprocess(fsys fs.FS) (Preprocess, error) {
	data, err := smallfile.Read(fsys, PreprocessorFile)
	if err != nil {
		return Preprocess{}, fmt.Errorf("vision: %w", err)
	}
	var p Preprocess
	if err := json.Unmarshal(data, &p); err != nil {
		return Preprocess{}, fmt.Errorf("vision: %s: %w", PreprocessorFile, err)
	}
	return p, nil
}

// preprocessJSON is the file's form. Pointers tell an absent field from a false or zero one.
type preprocessJSON struct {
	Type         string    `json:"image_processor_type,omitempty"`
	OldType      string    `json:"feature_extractor_type,omitempty"`
	DoResize     *bool     `json:"do_resize,omitempty"`
	Size         *sizeJSON `json:"size,omitempty"`
	Resample     *int      `json:"resample,omitempty"`
	DoCenterCrop *bool     `json:"do_center_crop,omitempty"`
	CropSize     *sizeJSON `json:"crop_size,omitempty"`
	DoRescale    *bool     `json:"do_rescale,omitempty"`
	Rescale      *float64  `json:"rescale_factor,omitempty"`
	DoNormalize  *bool     `json:"do_normalize,omitempty"`
	Mean         []float64 `json:"image_mean,omitempty"`
	Std          []float64 `json:"image_std,omitempty"`

	// Fovea's own, for what transformers always does one way; absent where that is the way. Its processors keep
	// fields they do not know and pay no attention to them.
	Centring   string `json:"crop_centring,omitempty"`
	Arithmetic string `json:"arithmetic,omitempty"`
	RowsFirst  bool   `json:"resize_rows_first,omitempty"`
}

// The names of settings in the file, by value; the default is not written.
var (
	centringNames   = []string{CentreFloor: "", CentreEven: "even"}
	arithmeticNames = []string{RescaleFirst: "", Fused: "fused", UnitFirst: "unit_first"}
)

// sizeJSON is a size: {"height": h, "width": w}, {"shortest_edge": s}, or a bare number in older files.
type sizeJSON struct {
	Height       int `json:"height,omitempty"`
	Width        int `json:"width,omitempty"`
	ShortestEdge int `json:"shortest_edge,omitempty"`
	LongestEdge  int `json:"longest_edge,omitempty"`
	bare         bool
}

func (s *sizeJSON) UnmarshalJSON(data []byte) error {
	var n int
	if json.Unmarshal(data, &n) == nil {
		*s = sizeJSON{Height: n, Width: n, bare: true}
		return nil
	}
	var pair []int
	if json.Unmarshal(data, &pair) == nil && len(pair) == 2 {
		*s = sizeJSON{Height: pair[0], Width: pair[1]}
		return nil
	}
	type plain sizeJSON
	return json.Unmarshal(data, (*plain)(s))
}

// UnmarshalJSON reads the contents of a preprocessor_config.json. Fields that are absent have the defaults of
// ViTImageProcessor: a bilinear stretch to 224 × 224, rescaling by 1/255, and a mean and deviation of one half. A
// bare number as size is a square, except in the files of CLIP's processors and beside a centre crop, where it is
// the shorter side.
func (p *Preprocess) UnmarshalJSON(data []byte) error {
	var j preprocessJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	is := func(b *bool, absent bool) bool {
		if b == nil {
			return absent
		}
		return *b
	}
	q := Preprocess{Width: 224, Height: 224, Mean: HalfMean, Std: HalfStd}
	crop := is(j.DoCenterCrop, false)
	if s := j.Size; s != nil {
		short := s.ShortestEdge
		if s.bare && crop {
			short = s.Width
		}
		switch {
		case short != 0:
			q.Mode, q.Width, q.Height = ShortSide, short, 0
		case s.Height != 0 && s.Width != 0:
			q.Width, q.Height = s.Width, s.Height
		default:
			return fmt.Errorf("size %+v: expected height and width, or shortest_edge", *s)
		}
		if s.LongestEdge != 0 {
			return fmt.Errorf("size: longest_edge %d is not supported", s.LongestEdge)
		}
	}
	if !is(j.DoResize, true) {
		q.Mode, q.Width, q.Height = NoResize, 0, 0
	}
	if j.Resample != nil {
		i := slices.Index(pillowFilters[:], *j.Resample)
		if i < 0 {
			return fmt.Errorf("resample %d: expected 0 to 5", *j.Resample)
		}
		q.Filter = Filter(i)
	}
	if crop {
		q.CropWidth, q.CropHeight = 224, 224
		if s := j.CropSize; s != nil {
			q.CropWidth, q.CropHeight = s.Width, s.Height
		}
		if q.CropWidth <= 0 || q.CropHeight <= 0 {
			return fmt.Errorf("crop_size %+v: expected height and width", *j.CropSize)
		}
	}
	q.RowsFirst = j.RowsFirst
	centring, arithmetic := slices.Index(centringNames, j.Centring), slices.Index(arithmeticNames, j.Arithmetic)
	if centring < 0 {
		return fmt.Errorf("crop_centring %q: expected %q or none", j.Centring, centringNames[1:])
	}
	if arithmetic < 0 {
		return fmt.Errorf("arithmetic %q: expected one of %q or none", j.Arithmetic, arithmeticNames[1:])
	}
	q.Centring, q.Arithmetic = Centring(centring), Arithmetic(arithmetic)
	q.NoRescale = !is(j.DoRescale, true)
	if j.Rescale != nil && !q.NoRescale {
		if !(*j.Rescale > 0) {
			return fmt.Errorf("rescale_factor %v: expected a positive number", *j.Rescale)
		}
		if *j.Rescale != 1./255 {
			q.Scale = *j.Rescale
		}
	}
	q.NoNormalize = !is(j.DoNormalize, true)
	for _, f := range []struct {
		name string
		from []float64
		to   *[3]float32
	}{{"image_mean", j.Mean, &q.Mean}, {"image_std", j.Std, &q.Std}} {
		if f.from == nil {
			continue
		}
		if len(f.from) != 3 {
			return fmt.Errorf("%s has %d values, expected 3", f.name, len(f.from))
		}
		for i, v := range f.from {
			f.to[i] = float32(v)
			if f.to == &q.Std && !(f.to[i] > 0) { // a float32: what is too small for it is zero
				return fmt.Errorf("image_std: %v, expected positive numbers", f.from)
			}
		}
	}
	if err := q.Validate(); err != nil {
		return err
	}
	for c, table := range q.Normalizer().table {
		for _, v := range table {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("image_mean %v, image_std %v and rescale_factor give values that are not finite in channel %d", q.Mean, q.Std, c)
			}
		}
	}
	*p = q
	return nil
}

// MarshalJSON writes p as transformers' image processors read it: as a ViTImageProcessor where that can hold it,
// with the centre-cropping fields (which that class ignores; CLIPImageProcessor reads them) where there is a crop.
// Settings that transformers does not have (Centring, Arithmetic and RowsFirst) are written beside, so that reading
// gives the same Preprocess back.
func (p Preprocess) MarshalJSON() ([]byte, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	yes := func(b bool) *bool { return &b }
	resample := pillowFilters[p.Filter]
	scale := p.Scale
	if scale == 0 {
		scale = 1. / 255
	}
	mean, std := p.Mean, p.Std
	if std == [3]float32{} {
		mean, std = HalfMean, HalfStd
	}
	j := preprocessJSON{
		Type:      "ViTImageProcessor",
		DoResize:  yes(p.Mode != NoResize),
		Resample:  &resample,
		DoRescale: yes(!p.NoRescale), Rescale: &scale,
		DoNormalize: yes(!p.NoNormalize), Mean: decimals(mean), Std: decimals(std),
		RowsFirst: p.RowsFirst,
	}
	if int(p.Centring) >= len(centringNames) || int(p.Arithmetic) >= len(arithmeticNames) {
		return nil, fmt.Errorf("vision: preprocess: unknown centring %d or arithmetic %d", p.Centring, p.Arithmetic)
	}
	j.Centring, j.Arithmetic = centringNames[p.Centring], arithmeticNames[p.Arithmetic]
	switch p.Mode {
	case Stretch:
		j.Size = &sizeJSON{Height: p.Height, Width: p.Width}
	case ShortSide:
		j.Size = &sizeJSON{ShortestEdge: p.Width}
	}
	if p.CropWidth > 0 || p.Mode == ShortSide {
		j.Type = "CLIPImageProcessor"
		j.DoCenterCrop = yes(p.CropWidth > 0)
		if p.CropWidth > 0 {
			j.CropSize = &sizeJSON{Height: p.CropHeight, Width: p.CropWidth}
		}
	}
	return json.Marshal(j)
}

// decimals returns the shortest decimal numbers that stand for the given float32s: 0.485, not 0.48500001430511475.
func decimals(v [3]float32) []float64 {
	out := make([]float64, 3)
	for i, f := range v {
		text, err := json.Marshal(f)
		if err != nil || json.Unmarshal(text, &out[i]) != nil {
			out[i] = float64(f)
		}
	}
	return out
}
