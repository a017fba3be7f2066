package detect

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/smallfile"
)

// OpenDarknet reads the files of a YOLOv1 of darknet at two paths, as [LoadDarknet] does. The folder of the weights is
// that of the names of the classes.
func OpenDarknet(layers, weights string) (*Model, error) {
	text, err := smallfile.Read(os.DirFS(filepath.Dir(layers)), filepath.Base(layers))
	if err != nil {
		return nil, fmt.Errorf("detect: %s: %w", layers, err)
	}
	m, err := readDarknet(string(text), os.DirFS(filepath.Dir(weights)), filepath.Base(weights))
	if err != nil {
		return nil, fmt.Errorf("detect: %s, %s: %w", layers, weights, err)
	}
	return m, nil
}

// LoadDarknet reads a YOLOv1 of darknet from a folder: a file of layers, such as yolov1.cfg, and one of weights, such
// as yolov1.weights. A file *.names beside them has the names of the classes. [Model.Save] then writes a folder that
// [Load] reads.
//
// The layers may be convolutional, maxpool, local, dropout, connected and detection. Networks with others, such as those of
// YOLOv2 and YOLOv3, are refused, and so is every setting that changes the result and is not supported. The files are not
// trusted: the error names the file and the line, or the number of values that was expected.
func LoadDarknet(fsys fs.FS, layers, weights string) (*Model, error) {
	text, err := smallfile.Read(fsys, layers)
	if err != nil {
		return nil, fmt.Errorf("detect: %w", err)
	}
	m, err := readDarknet(string(text), fsys, weights)
	if err != nil {
		return nil, fmt.Errorf("detect: %s: %w", layers, err)
	}
	return m, nil
}

func readDarknet(text string, fsys fs.FS, weights string) (*Model, error) {
	c, classes, err := parseDarknet(text)
	if err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	f, err := fsys.Open(weights)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: expected a file, found a folder, a device or a pipe", weights)
	}
	m, err := fillDarknet(c, classes, bufio.NewReaderSize(f, 1<<20), info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", weights, err)
	}
	return m, m.readNames(fsys)
}

// fillDarknet returns a model with the weights of a file of the given size (load_weights_upto in src/parser.c).
func fillDarknet(c Config, classes int, r io.Reader, size int64) (*Model, error) {
	var head [3]uint32
	if err := binary.Read(r, binary.LittleEndian, head[:]); err != nil {
		return nil, fmt.Errorf("expected a version of 12 bytes: %w", short(err))
	}
	seen := int64(4) // bytes of the number of images that the network has seen
	switch major, minor := head[0], head[1]; {
	case major > 1000 || minor > 1000:
		return nil, fmt.Errorf("weights that are transposed are not supported: found the version %d.%d", major, minor)
	case major*10+minor >= 2:
		seen = 8
	}
	if _, err := io.CopyN(io.Discard, r, seen); err != nil {
		return nil, fmt.Errorf("expected the number of images that the network has seen: %w", short(err))
	}
	// The size is checked before the model is made, so that a false file of layers cannot cause a large allocation.
	want := float64(12+seen) + 4*c.darknetValues(classes)
	if want != float64(size) {
		return nil, fmt.Errorf("expected %.0f bytes for these layers, found %d", want, size)
	}
	m := New(c, classes, nil)
	var err error
	read := func(p *autograd.Parameter) {
		p.Update(func(v []float32) {
			if err == nil {
				err = binary.Read(r, binary.LittleEndian, v)
			}
		})
	}
	for _, u := range m.Network.(*Darknet).Layers {
		switch {
		case u.Conv != nil:
			norm := u.Conv.Norm
			read(norm.Bias)
			read(norm.Weight)
			for _, b := range []*autograd.Buffer{norm.Mean, norm.Variance} {
				b.Update(func(v []float32) {
					if err == nil {
						err = binary.Read(r, binary.LittleEndian, v)
					}
				})
			}
			norm.Variance.Update(func(v []float32) { // darknet divides by √v + 1e-6
				for i, x := range v {
					root := math.Sqrt(float64(x)) + 1e-6
					v[i] = float32(float64(root*root) - darknetEps)
				}
			})
			read(u.Conv.Conv.Weight)
		case u.Plain != nil:
			read(u.Plain.Bias)
			read(u.Plain.Weight)
		case u.Local != nil:
			read(u.Local.Bias)
			read(u.Local.Weight)
		case u.FC != nil:
			read(u.FC.Bias)
			read(u.FC.Weight)
		}
	}
	if err != nil {
		return nil, short(err)
	}
	return m, nil
}

// short words the end of a file as one that came too early.
func short(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// darknetValues returns the number of values in darknet's file of weights. The configuration must be valid.
func (c Config) darknetValues(classes int) (values float64) {
	shape, outputs := darknetShape{3, c.ImageSize, c.ImageSize}, yoloOutputs{c.GridSize, c.BoxesPerCell, classes, true}.count()
	for _, l := range c.Layers {
		next, err := l.after(shape, outputs)
		if err != nil {
			return math.NaN()
		}
		values += l.weights(shape, next)
		switch l.Type {
		case darknetConv:
			values += float64(l.Filters)
			if l.BatchNormalize {
				values += 3 * float64(l.Filters)
			}
		case darknetLocal, darknetLinear:
			values += float64(next.values())
		}
		shape = next
	}
	return values
}

// darknetSection is a section of a file of layers.
type darknetSection struct {
	name  string
	line  int
	given map[string]string
}

// darknetKeys are the settings that a section may have. Those of [net] are for training, but for the size.
var darknetKeys = map[string][]string{
	"net": {"width", "height", "channels", "batch", "subdivisions", "learning_rate", "momentum", "decay", "time_steps", "notruth", "random",
		"adam", "B1", "B2", "eps", "max_crop", "min_crop", "max_ratio", "min_ratio", "center", "clip", "angle", "aspect", "saturation", "exposure",
		"hue", "policy", "burn_in", "power", "step", "scale", "steps", "scales", "gamma", "max_batches"},
	darknetConv:    {"batch_normalize", "filters", "size", "stride", "pad", "padding", "activation", "groups", "flipped", "binary", "xnor", "dot"},
	darknetPool:    {"size", "stride", "padding"},
	darknetLocal:   {"size", "stride", "pad", "filters", "activation"},
	darknetDropout: {"probability"},
	darknetLinear:  {"output", "activation", "batch_normalize"},
	"detection": {"classes", "coords", "rescore", "side", "num", "softmax", "sqrt", "jitter", "object_scale", "noobject_scale", "class_scale", "coord_scale",
		"forced", "random", "reorg", "max"},
}

// parseDarknet reads a file of layers (parse_network_cfg in src/parser.c).
func parseDarknet(text string) (c Config, classes int, err error) {
	sections, err := darknetSections(text)
	if err != nil {
		return c, 0, err
	}
	if len(sections) < 3 {
		return c, 0, errors.New("expected the section [net] first, layers, and the section [detection]")
	}
	c.ModelType = darknetType
	for i, s := range sections {
		r := settings{section: s}
		last := i == len(sections)-1
		switch {
		case i == 0:
			c.ImageSize = r.number("width", 0)
			if height := r.number("height", 0); height != c.ImageSize {
				r.fail("expected a square image, found %d×%d", c.ImageSize, height)
			}
			r.only("channels", 3, 0)
		case last != (s.name == "detection"):
			r.fail("expected the section [detection] as the last, found [%s]", s.name)
		case last:
			c.GridSize, c.BoxesPerCell, classes = r.number("side", 7), r.number("num", 1), r.number("classes", 1)
			r.only("coords", 4, 1)
			r.only("sqrt", 1, 0)
			r.only("softmax", 0, 0)
			r.only("reorg", 0, 0)
		default:
			c.Layers = append(c.Layers, r.layer())
		}
		if r.err != nil {
			return c, 0, r.err
		}
	}
	inRange := func(v, most int) bool { return v >= 1 && v <= most }
	if !inRange(classes, 1<<16) || !inRange(c.GridSize, squareMaxSize) || !inRange(c.BoxesPerCell, yoloMostBoxes) {
		return c, 0, fmt.Errorf("[detection]: expected classes, side and num above 0 and not very large, found %d, %d and %d",
			classes, c.GridSize, c.BoxesPerCell)
	}
	end := &c.Layers[len(c.Layers)-1]
	want := yoloOutputs{c.GridSize, c.BoxesPerCell, classes, true}.count()
	if end.Type != darknetLinear || end.Output != want {
		return c, 0, fmt.Errorf("expected a section [connected] with the output %d before [detection], found [%s] with %d", want, end.Type, end.Output)
	}
	end.Output = 0
	return c, classes, nil
}

// darknetSections splits a file of layers. As in darknet, blanks do not count anywhere.
func darknetSections(text string) (sections []darknetSection, err error) {
	blanks := strings.NewReplacer(" ", "", "\t", "", "\r", "")
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		line = blanks.Replace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			name := strings.TrimSuffix(line[1:], "]")
			switch name {
			case "network":
				name = "net"
			case "conv":
				name = darknetConv
			case "max":
				name = darknetPool
			case "conn":
				name = darknetLinear
			}
			if sections = append(sections, darknetSection{name, number, map[string]string{}}); len(sections) > darknetMostLayers {
				return nil, fmt.Errorf("line %d: expected at most %d sections", number, darknetMostLayers)
			}
			if darknetKeys[name] == nil || (name == "net") != (len(sections) == 1) {
				return nil, fmt.Errorf("line %d: the section [%.40s] is not supported here", number, name)
			}
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || len(sections) == 0 {
			return nil, fmt.Errorf("line %d: expected a section or a setting, found %.40q", number, line)
		}
		s := sections[len(sections)-1]
		if !slices.Contains(darknetKeys[s.name], key) {
			return nil, fmt.Errorf("line %d: the setting %.40q of [%s] is not supported", number, key, s.name)
		}
		if _, again := s.given[key]; again {
			return nil, fmt.Errorf("line %d: expected %.40q once in [%s], found it again", number, key, s.name)
		}
		s.given[key] = value
	}
	return sections, nil
}

// settings reads the settings of a section, and keeps the first error.
type settings struct {
	section darknetSection
	err     error
}

func (r *settings) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("line %d: [%s]: "+format, append([]any{r.section.line, r.section.name}, args...)...)
	}
}

// number returns an integer, or the default where there is none.
func (r *settings) number(key string, otherwise int) int {
	text, ok := r.section.given[key]
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1<<30 {
		r.fail("%s: expected a number that is not negative, found %.40q", key, text)
		return otherwise
	}
	return n
}

// only wants one value; otherwise is darknet's default.
func (r *settings) only(key string, want, otherwise int) {
	if n := r.number(key, otherwise); n != want {
		r.fail("%s: only %d is supported, found %d", key, want, n)
	}
}

// layer returns the layer of a section.
func (r *settings) layer() DarknetLayer {
	l := DarknetLayer{Type: r.section.name}
	switch l.Type {
	case darknetConv:
		l.Filters, l.Size, l.Stride, l.Padding = r.number("filters", 1), r.number("size", 1), r.number("stride", 1), r.number("padding", 0)
		if r.number("pad", 0) != 0 {
			l.Padding = l.Size / 2
		}
		l.BatchNormalize = r.number("batch_normalize", 0) != 0
		r.only("groups", 1, 1)
		for _, key := range []string{"flipped", "binary", "xnor", "dot"} {
			r.only(key, 0, 0)
		}
	case darknetPool:
		l.Stride = r.number("stride", 1)
		l.Size = r.number("size", l.Stride)
		r.only("padding", max(0, l.Size-1), max(0, l.Size-1))
	case darknetLocal:
		l.Filters, l.Size = r.number("filters", 1), r.number("size", 1)
		r.only("stride", 1, 1)
		if l.Size != 3 || r.number("pad", 0) == 0 {
			r.fail("only the size 3 with pad is supported, found %d", l.Size) // darknet's pad is one pixel, whatever the size
		}
	case darknetDropout:
		text := r.section.given["probability"]
		if text == "" {
			text = ".5"
		}
		p, err := strconv.ParseFloat(text, 32)
		if err != nil {
			r.fail("probability: expected a number, found %.40q", text)
		}
		l.Probability = float32(p)
	case darknetLinear:
		l.Output = r.number("output", 1)
		r.only("batch_normalize", 0, 0)
	}
	if l.Type == darknetConv || l.Type == darknetLocal || l.Type == darknetLinear {
		l.Activation = r.section.given["activation"]
		if l.Activation == "" {
			l.Activation = "logistic"
		}
		if l.Activation != "leaky" && l.Activation != "linear" {
			r.fail("activation: only leaky and linear are supported, found %.40q", l.Activation)
		}
	}
	return l
}
