package vision

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/chewxy/math32"

	"github.com/fovea-ml/fovea/internal/strictjson"
)

// preprocessJSON is the form of preprocessor_config.json. Pointers tell an absent field from a false or zero one.
type preprocessJSON struct {
	Type         nameJSON     `json:"image_processor_type,omitempty"`
	OldType      nameJSON     `json:"feature_extractor_type,omitempty"`
	DoResize     *switchJSON  `json:"do_resize,omitempty"`
	Size         *sizeJSON    `json:"size,omitempty"`
	Square       *switchJSON  `json:"default_to_square,omitempty"` // a bare size is both sides, not the shorter one
	MaxSize      *int         `json:"max_size,omitempty"`          // of the oldest detectors: longest_edge
	Resample     *int         `json:"resample,omitempty"`
	DoCenterCrop *switchJSON  `json:"do_center_crop,omitempty"`
	CropSize     *sizeJSON    `json:"crop_size,omitempty"`
	CropShare    *float64     `json:"crop_pct,omitempty"`
	DoRescale    *switchJSON  `json:"do_rescale,omitempty"`
	Rescale      *float64     `json:"rescale_factor,omitempty"`
	DoNormalize  *switchJSON  `json:"do_normalize,omitempty"`
	ConvertRGB   *switchJSON  `json:"do_convert_rgb,omitempty"`
	Mean         channelsJSON `json:"image_mean,omitempty"`
	Std          channelsJSON `json:"image_std,omitempty"`
	DoPad        *switchJSON  `json:"do_pad,omitempty"`
	PadSize      *sizeJSON    `json:"pad_size,omitempty"`

	// Fovea's own fields, for settings that transformers does not have. The default is absent. The processors of
	// transformers keep unknown fields and ignore them.
	Backend   string `json:"pixel_backend,omitempty"`
	SizeRule  string `json:"size_rule,omitempty"`
	Multiple  int    `json:"size_multiple,omitempty"`
	Fill      []int  `json:"crop_fill,omitempty"`
	RowsFirst bool   `json:"resize_rows_first,omitempty"`
	Alpha     string `json:"alpha,omitempty"`
	Channels  *int   `json:"pixel_channels,omitempty"` // 1 or 3
}

// The names of settings in the file, by value. The default is not written.
var (
	alphaNames    = []string{"", "dropped", "dropped_last"} // the first is the rule of transformers
	backendNames  = []string{Pillow: "pil", Torchvision: "", Timm: "timm"}
	sizeRuleNames = []string{Stretch: "", Fit: "fit", Cover: "cover"}
)

// sizeJSON is a size: {"height": h, "width": w}, {"max_height": h, "max_width": w}, or one or both of "shortest_edge" and
// "longest_edge". In older files it is a bare number, or a pair of height and width.
type sizeJSON struct {
	Height       int `json:"height,omitempty"`
	Width        int `json:"width,omitempty"`
	ShortestEdge int `json:"shortest_edge,omitempty"`
	LongestEdge  int `json:"longest_edge,omitempty"`
	MaxHeight    int `json:"max_height,omitempty"`
	MaxWidth     int `json:"max_width,omitempty"`
	bare         int
}

// sizeKeys are the keys that a size has together.
var sizeKeys = [][]string{
	{"height", "width"}, {"shortest_edge"}, {"longest_edge"}, {"longest_edge", "shortest_edge"}, {"max_height", "max_width"},
}

func (s *sizeJSON) UnmarshalJSON(data []byte) error {
	*s = sizeJSON{}
	if strictjson.Decode(data, &s.bare) == nil {
		return nil
	}
	var pair []int
	if strictjson.Decode(data, &pair) == nil && len(pair) == 2 {
		s.Height, s.Width = pair[0], pair[1]
		return nil
	}
	var keys []string
	if err := strictjson.Object(data, func(key string, _ []byte) {
		if len(keys) < 9 && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}); err != nil {
		return err
	}
	slices.Sort(keys)
	if !slices.ContainsFunc(sizeKeys, func(k []string) bool { return slices.Equal(k, keys) }) {
		return fmt.Errorf("expected height and width, shortest_edge, longest_edge, both edges, or max_height and max_width, found %q", keys)
	}
	type plain sizeJSON
	return strictjson.Decode(data, (*plain)(s))
}

// channelsJSON is one value per channel, or one for all.
type channelsJSON []float64

func (c *channelsJSON) UnmarshalJSON(data []byte) error {
	var one float64
	if strictjson.Decode(data, &one) == nil {
		*c = channelsJSON{one}
		return nil
	}
	return strictjson.Decode(data, (*[]float64)(c))
}

// switchJSON is true or false. A number other than 0 is true, as in Python; a text is refused, because Python takes even
// "false" for true.
type switchJSON bool

func (s *switchJSON) UnmarshalJSON(data []byte) error {
	var number float64
	if strictjson.Decode(data, &number) == nil {
		*s = number != 0
		return nil
	}
	return strictjson.Decode(data, (*bool)(s))
}

// nameJSON is a name, "" where it is null.
type nameJSON string

func (n *nameJSON) UnmarshalJSON(data []byte) error {
	var name *string
	err := strictjson.Decode(data, &name)
	if *n = ""; name != nil {
		*n = nameJSON(*name)
	}
	return err
}

// UnmarshalJSON reads the contents of a preprocessor_config.json of any version of transformers. The pixels are those of
// transformers 5, whose AutoImageProcessor takes torchvision, also for classes whose names end in Pil. Absent fields have the
// defaults of the class.
//
// As in transformers, a switch that is null or 0 is off, one that is another number is on, and a class that is null is
// absent. Another setting that is null is an error where it is used.
//
// Padding to the largest image of a batch (do_pad) does nothing, as for a batch of one. Padding to a fixed size is
// rejected, and so are unsupported classes and settings.
func (p *Preprocess) UnmarshalJSON(data []byte) error {
	return p.parse(data, "")
}

// parse reads a file. If the file names no class, the model's type gives it.
func (p *Preprocess) parse(data []byte, modelType string) error {
	var wrapper struct { // transformers' wrapper around timm
		Pretrained json.RawMessage `json:"pretrained_cfg"`
	}
	if err := strictjson.Decode(data, &wrapper); err != nil {
		return err
	}
	if wrapper.Pretrained != nil {
		return p.parseTimm(timmConfig{pretrained: wrapper.Pretrained}, false)
	}
	var j preprocessJSON
	if err := processorFields.Check(data); err != nil {
		return err
	}
	if err := strictjson.Decode(data, &j); err != nil {
		return err
	}
	null := map[string]bool{} // of the fields that are used
	if err := strictjson.Object(data, func(key string, value []byte) {
		if slices.Contains(nullable, key) {
			null[key] = strictjson.Null(value)
		}
	}); err != nil {
		return err
	}
	for name, b := range map[string]**switchJSON{
		"do_resize": &j.DoResize, "default_to_square": &j.Square, "do_center_crop": &j.DoCenterCrop, "do_rescale": &j.DoRescale,
		"do_normalize": &j.DoNormalize, "do_pad": &j.DoPad, "do_convert_rgb": &j.ConvertRGB,
	} {
		if null[name] {
			*b = new(switchJSON)
		}
	}
	class, backend, err := classOf(&j, modelType)
	if err != nil {
		return err
	}
	q := class.Preprocess
	q.Backend = backend
	for _, need := range []struct {
		by    bool
		names []string
	}{
		{is(j.DoResize, true), []string{"size", "resample"}}, {is(j.DoCenterCrop, class.crop) && !class.neverCrops, []string{"crop_size"}},
		{is(j.DoRescale, true), []string{"rescale_factor"}}, {is(j.DoNormalize, !q.NoNormalize), []string{"image_mean", "image_std"}},
	} {
		for _, name := range need.names {
			if need.by && null[name] {
				return fmt.Errorf("%s: expected a value, found null", name)
			}
		}
	}
	if err := j.geometry(&q, class); err != nil {
		return err
	}
	if err := j.share(&q, class, null["crop_pct"]); err != nil {
		return err
	}
	if err := j.values(&q); err != nil {
		return err
	}
	q.RowsFirst = j.RowsFirst
	switch i := slices.Index(alphaNames, j.Alpha); {
	case i < 0:
		return fmt.Errorf("alpha %q: expected one of %q", j.Alpha, alphaNames)
	case i > 0:
		q.Alpha = AlphaRule(i - 1)
	case is(j.ConvertRGB, class.converts):
		q.Alpha = AlphaOnWhite
	}
	if j.Channels != nil {
		if *j.Channels != 1 && *j.Channels != 3 {
			return fmt.Errorf("pixel_channels: expected 1 or 3, found %d", *j.Channels)
		}
		q.Gray = *j.Channels == 1
	}
	if err := q.check(); err != nil {
		return err
	}
	*p = q
	return nil
}

// nullable are the fields that transformers tells apart when they are null and when they are absent.
var nullable = []string{"do_convert_rgb",
	"do_resize", "size", "default_to_square", "resample", "do_center_crop", "crop_size", "crop_pct", "do_rescale", "rescale_factor", "do_normalize",
	"image_mean", "image_std", "do_pad",
}

// is returns the value of a switch, or its default where it is absent.
func is(b *switchJSON, absent bool) bool {
	if b == nil {
		return absent
	}
	return bool(*b)
}

// geometry reads the resize and the crop.
func (j *preprocessJSON) geometry(q *Preprocess, class processorClass) error {
	if s := j.Size; s != nil {
		q.Mode, q.Width, q.Height, q.MaxLong = Stretch, s.Width, s.Height, 0
		long := s.LongestEdge
		if long == 0 && class.maxLong && j.MaxSize != nil && (s.bare != 0 || s.ShortestEdge != 0) {
			long = *j.MaxSize
		}
		switch {
		case s.bare != 0 && (class.maxLong || !is(j.Square, !class.short)):
			q.Mode, q.Width, q.MaxLong = ShortSide, s.bare, long
			if class.maxLong && long == 0 {
				q.MaxLong = class.MaxLong
			}
		case s.bare != 0:
			q.Width, q.Height = s.bare, s.bare
		case s.ShortestEdge != 0:
			q.Mode, q.Width, q.Height, q.MaxLong = ShortSide, s.ShortestEdge, 0, long
		case s.LongestEdge != 0:
			q.Mode, q.Width, q.Height = LongSide, s.LongestEdge, 0
		case s.MaxHeight != 0 && s.MaxWidth != 0:
			q.Mode, q.Width, q.Height = Fit, s.MaxWidth, s.MaxHeight
		case s.Height == 0 || s.Width == 0:
			return fmt.Errorf("size %+v: expected height and width, shortest_edge, longest_edge, or max_height and max_width", *s)
		}
		if q.Mode == ShortSide && class.bothEdges && q.MaxLong == 0 {
			return fmt.Errorf("size: shortest_edge alone is unsupported for this class of processor, expected longest_edge beside it")
		}
		if q.Mode == Stretch && class.longAlone {
			return fmt.Errorf("size: expected longest_edge for this class of processor")
		}
		if q.Mode == LongSide && !class.longAlone {
			return fmt.Errorf("size: longest_edge alone is unsupported for this class of processor, expected shortest_edge beside it")
		}
	}
	if q.Mode != ShortSide || q.MaxLong == 0 {
		q.Multiple = 0
	}
	if j.Multiple != 0 {
		q.Multiple = j.Multiple
	}
	if j.SizeRule != "" {
		i := slices.Index(sizeRuleNames, j.SizeRule)
		if i < 0 || q.Mode != Stretch {
			return fmt.Errorf("size_rule %q: expected %q or %q beside a height and a width", j.SizeRule, sizeRuleNames[Fit], sizeRuleNames[Cover])
		}
		q.Mode = ResizeMode(i)
	}
	if !is(j.DoResize, true) {
		q.Mode, q.Width, q.Height, q.MaxLong, q.Multiple = NoResize, 0, 0, 0, 0
	}
	if j.Resample != nil {
		i := slices.Index(pillowFilters[:], *j.Resample)
		if i < 0 {
			return fmt.Errorf("resample %d: expected 0 to 5", *j.Resample)
		}
		q.Filter = Filter(i)
	}
	if is(j.DoCenterCrop, class.crop) && !class.neverCrops {
		if s := j.CropSize; s != nil {
			q.CropWidth, q.CropHeight = s.Width, s.Height
			if s.bare != 0 {
				q.CropWidth, q.CropHeight = s.bare, s.bare
			}
		}
		if q.CropWidth <= 0 || q.CropHeight <= 0 {
			return fmt.Errorf("crop_size: %d×%d, expected height and width", q.CropWidth, q.CropHeight)
		}
	} else {
		q.CropWidth, q.CropHeight = 0, 0
	}
	if is(j.DoPad, class.pads) && (j.PadSize != nil || class.pads) {
		return fmt.Errorf("do_pad: padding to a fixed size is unsupported: prepare the pixels yourself or set it to false")
	}
	if len(j.Fill) != 0 && len(j.Fill) != 3 {
		return fmt.Errorf("crop_fill has %d values, expected 3", len(j.Fill))
	}
	for i, v := range j.Fill {
		if v < 0 || v > 255 {
			return fmt.Errorf("crop_fill: %v, expected levels of 0 to 255", j.Fill)
		}
		q.Fill[i] = uint8(v)
	}
	return nil
}

// share applies crop_pct, which may be null, as transformers' ConvNextImageProcessor does: below 384 pixels the image is resized to more and cropped, and from
// there on stretched.
func (j *preprocessJSON) share(q *Preprocess, class processorClass, null bool) error {
	const stretched = 384
	switch {
	case class.cropShare == 0 && j.CropShare != nil:
		return fmt.Errorf("crop_pct: %s", otherClass)
	case class.cropShare == 0:
		return nil
	case is(j.DoCenterCrop, false):
		return fmt.Errorf("do_center_crop: unsupported for this class of processor, which crops by crop_pct")
	case q.Mode == NoResize:
		return nil
	case q.Mode != ShortSide || q.MaxLong != 0:
		return fmt.Errorf("size: expected shortest_edge alone for this class of processor")
	case q.Width >= stretched:
		q.Mode, q.Height = Stretch, q.Width
		return nil
	case null:
		return fmt.Errorf("crop_pct: expected a value, found null")
	}
	share := class.cropShare
	if j.CropShare != nil {
		share = *j.CropShare
	}
	if !(share > 0) {
		return fmt.Errorf("crop_pct: expected a positive number, found %v", share)
	}
	q.CropHeight, q.CropWidth = q.Width, q.Width
	q.Width = side(float64(q.Width) / share)
	return nil
}

// values reads the arithmetic.
func (j *preprocessJSON) values(q *Preprocess) error {
	q.NoRescale = !is(j.DoRescale, true)
	if j.Rescale != nil && !q.NoRescale {
		if !(*j.Rescale > 0) {
			return fmt.Errorf("rescale_factor %v: expected a positive number", *j.Rescale)
		}
		if *j.Rescale != 1./255 {
			q.Scale = *j.Rescale
		}
	}
	q.NoNormalize = !is(j.DoNormalize, !q.NoNormalize)
	if err := setChannels(&q.Mean, "image_mean", j.Mean); err != nil {
		return err
	}
	return setChannels(&q.Std, "image_std", j.Std)
}

// setChannels narrows a file's values to float32. nil leaves dst as it is.
func setChannels(dst *[3]float32, name string, from []float64) error {
	if from == nil {
		return nil
	}
	if len(from) != 1 && len(from) != 3 {
		return fmt.Errorf("%s has %d values, expected 1 or 3", name, len(from))
	}
	for i := range dst {
		dst[i] = float32(from[i%len(from)])
	}
	return nil
}

// check is Validate for a Preprocess read from a file. It also expects finite numbers and a deviation that is positive
// as a float32.
func (p *Preprocess) check() error {
	for _, v := range p.Std {
		if !(v > 0) && p.Std != [3]float32{} || p.Std == [3]float32{} {
			return fmt.Errorf("standard deviation %v, expected positive numbers", p.Std)
		}
	}
	if err := p.Validate(); err != nil {
		return err
	}
	for c, table := range p.Normalizer().table {
		for _, v := range table {
			if math32.IsNaN(v) || math32.IsInf(v, 0) {
				return fmt.Errorf("mean %v, standard deviation %v and rescale_factor give values that are not finite in channel %d", p.Mean, p.Std, c)
			}
		}
	}
	return nil
}

// MarshalJSON writes p as transformers' image processors read it. With a crop or a shorter side it is a
// CLIPImageProcessor, with a Multiple of 16 a YolosImageProcessor, with a longer side a SamImageProcessor (unpadded), otherwise a ViTImageProcessor. Settings that
// transformers does not have go into fields of their own, so that reading gives the same Preprocess back. These
// settings are a Backend other than Torchvision, Cover, and timm's Fit, Fill and RowsFirst,
// and an Alpha other than that of the processor.
func (p Preprocess) MarshalJSON() ([]byte, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	yes := func(b bool) *switchJSON { return new(switchJSON(b)) }
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
		Backend: backendNames[p.Backend], RowsFirst: p.RowsFirst,
	}
	if p.Gray { // one channel, and Validate has checked that there is one value
		j.Channels, j.Mean, j.Std = new(int), j.Mean[:1], j.Std[:1]
		*j.Channels = 1
	}
	if p.FloatResize {
		j.Type = "DINOv3ViTImageProcessor"
	}
	crop := p.CropWidth > 0
	switch p.Mode {
	case Stretch:
		j.Size = &sizeJSON{Height: p.Height, Width: p.Width}
	case ShortSide:
		j.Size = &sizeJSON{ShortestEdge: p.Width, LongestEdge: p.MaxLong}
		if j.DoCenterCrop = yes(crop); !p.FloatResize {
			j.Type = "CLIPImageProcessor"
		}
		if p.Multiple == 16 && !crop && !p.FloatResize {
			j.Type = "YolosImageProcessor"
		} else if p.Multiple > 1 {
			j.Multiple = p.Multiple
		}
	case LongSide:
		if p.FloatResize {
			return nil, fmt.Errorf("vision: preprocess: FloatResize: transformers has no %v with it", p.Mode)
		}
		j.Size = &sizeJSON{LongestEdge: p.Width}
		j.Type, j.DoPad = "SamImageProcessor", yes(false)
	case Fit, Cover:
		j.Size = &sizeJSON{MaxHeight: p.Height, MaxWidth: p.Width}
		if p.Mode == Cover || p.Backend == Timm {
			j.Size, j.SizeRule = &sizeJSON{Height: p.Height, Width: p.Width}, sizeRuleNames[p.Mode]
		}
	}
	if crop {
		j.DoCenterCrop, j.CropSize = yes(true), &sizeJSON{Height: p.CropHeight, Width: p.CropWidth}
		if p.Mode != LongSide {
			j.Type = "CLIPImageProcessor"
		}
		if p.Fill != [3]uint8{} {
			j.Fill = []int{int(p.Fill[0]), int(p.Fill[1]), int(p.Fill[2])}
		}
	}
	class := processorClasses[strings.TrimSuffix(string(j.Type), "ImageProcessor")]
	switch {
	case p.Alpha == AlphaDroppedLast || p.Alpha == AlphaDropped && class.converts:
		j.Alpha = alphaNames[1+p.Alpha]
	case p.Alpha == AlphaOnWhite && !class.converts:
		j.ConvertRGB = yes(true)
	}
	return json.Marshal(j)
}

// decimals returns the shortest decimal numbers that round to the given float32s: 0.485, not 0.48500001430511475.
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

// typeName strips FeatureExtractor, ImageProcessor, Fast and Pil from the name of a class. The last two do not matter:
// AutoImageProcessor chooses torchvision's pixels for all of them.
func typeName(name string) string {
	name = strings.TrimSuffix(strings.TrimSuffix(name, "Pil"), "Fast")
	return strings.TrimSuffix(strings.TrimSuffix(name, "ImageProcessor"), "FeatureExtractor")
}
