package backbone

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models/internal/tower"
)

// ConfigOf returns the configuration that weights tell, under the names of torchvision, timm or transformers. A file may put
// one of the prefixes before every name, such as "backbone.body.", and hold other tensors too. The configuration is not
// checked. It is for the other model packages, which load networks with such a body; [Open] does so by itself.
func ConfigOf(f *checkpoint.File, prefixes ...string) (Config, error) {
	table := func(c Config) checkpoint.Names {
		names := tableOf(c)
		names.Prefixes = append(names.Prefixes, prefixes...)
		return names
	}
	for _, c := range []Config{{ModelType: resNetType, DeepStem: true}, {ModelType: resNetType}, ShuffleNetV2x10(), DLA34(), Plain()} {
		names := table(c)
		w := scale{find: names.Finder(f)}
		var err error
		switch {
		case c.ModelType == resNetType && w.has("Body.Stages.0.0.Convs.0.Conv.Weight") && (!c.DeepStem || w.has("Body.Stem.2.Conv.Weight")):
			pooled := table(Config{ModelType: resNetType, DeepStem: c.DeepStem, AverageDown: true})
			err = w.resNet(&c, pooled.Finder(f))
		case c.ModelType == shuffleType && w.has("Body.Stages.0.0.Main.0.Conv.Weight"):
			err = w.shuffleNet(&c)
		case c.ModelType == dlaType && w.has("Body.Trees.0.Root.Conv.Weight"):
			err = w.dla(&c)
		case c.ModelType == plainType && w.has("Body.Stages.0.0.Conv.Weight"):
			err = w.plain(&c)
		default:
			continue
		}
		if err == nil {
			err = w.err
		}
		return c, err
	}
	return Config{}, errUnknown
}

// A scale reads sizes off weights, and keeps the first error.
type scale struct {
	find tower.Finder
	err  error
}

func (w *scale) has(param string) bool {
	_, ok := w.find(param)
	return ok
}

// kernel returns the shape of a convolution's weight, [out, in, height, width].
func (w *scale) kernel(param string) (shape [4]int) {
	t, ok := w.find(param)
	switch {
	case w.err != nil:
	case !ok:
		w.err = fmt.Errorf("expected the tensor of %s, found none", param)
	case len(t.Shape) != 4:
		w.err = fmt.Errorf("%s: expected the shape [out in height width], found %v", t.Name, t.Shape)
	default:
		return [4]int(t.Shape)
	}
	return shape
}

// count returns how many of a series of parameters there are; format takes the number.
func (w *scale) count(format string) (n int) {
	for n <= maxDepth && w.has(fmt.Sprintf(format, n)) {
		n++
	}
	return n
}

func (w *scale) resNet(c *Config, pooled tower.Finder) error {
	*c = Config{ModelType: resNetType, DeepStem: c.DeepStem, HiddenAct: "relu", LayerType: Basic}
	last := 0
	if c.DeepStem {
		last = 2
	}
	c.NumChannels = w.kernel("Body.Stem.0.Conv.Weight")[1]
	c.EmbeddingSize = w.kernel(fmt.Sprintf("Body.Stem.%d.Conv.Weight", last))[0]
	conv := 1
	if w.has("Body.Stages.0.0.Convs.2.Conv.Weight") {
		c.LayerType, conv = Bottleneck, 2
	}
	if t, ok := pooled("Body.Stages.1.0.Down.Conv.Weight"); ok && len(t.Shape) == 4 && strings.HasSuffix(t.Name, "downsample.1.weight") {
		c.AverageDown = true
	}
	for s := range stages(resNetType) {
		at := fmt.Sprintf("Body.Stages.%d.", s)
		c.Depths = append(c.Depths, w.count(at+"%d.Convs.0.Conv.Weight"))
		c.HiddenSizes = append(c.HiddenSizes, w.kernel(fmt.Sprintf("%s0.Convs.%d.Conv.Weight", at, conv))[0])
	}
	if w.err != nil || c.LayerType == Basic {
		return nil
	}
	switch inner := w.kernel("Body.Stages.0.0.Convs.1.Conv.Weight"); {
	case inner[0] != inner[1]:
		return errors.New("a model with grouped convolutions (ResNeXt) is not supported")
	case 4*inner[0] != c.HiddenSizes[0]:
		return errors.New("a model with wide bottlenecks is not supported")
	}
	return nil
}

func (w *scale) shuffleNet(c *Config) error {
	stem := w.kernel("Body.Stem.Conv.Weight")
	c.NumChannels, c.EmbeddingSize = stem[1], stem[0]
	for s := range c.Depths {
		at := fmt.Sprintf("Body.Stages.%d.", s)
		c.Depths[s] = w.count(at + "%d.Main.0.Conv.Weight")
		c.HiddenSizes[s] = 2 * w.kernel(at + "0.Main.2.Conv.Weight")[0]
	}
	c.FinalSize = 0
	if w.has("Final.Conv.Weight") {
		c.FinalSize = w.kernel("Final.Conv.Weight")[0]
	}
	return nil
}

// dla reads the widths; the depths are those of DLA-34.
func (w *scale) dla(c *Config) error {
	stem := w.kernel("Body.Stem.Conv.Weight")
	c.NumChannels, c.EmbeddingSize = stem[1], stem[0]
	if w.has("Body.Trees.0.First.Convs.2.Conv.Weight") {
		return errors.New("of DLA, networks other than DLA-34 are not supported: the blocks are bottlenecks")
	}
	for i, root := range []string{"Levels.0", "Levels.1", "Trees.0.Root", "Trees.1.Right.Root", "Trees.2.Right.Root", "Trees.3.Root"} {
		c.HiddenSizes[i] = w.kernel("Body." + root + ".Conv.Weight")[0]
	}
	return nil
}

func (w *scale) plain(c *Config) error {
	stem := w.kernel("Body.Stem.Conv.Weight")
	c.NumChannels, c.EmbeddingSize = stem[1], stem[0]
	for s := range c.Depths {
		at := fmt.Sprintf("Body.Stages.%d.", s)
		c.Depths[s] = w.count(at + "%d.Conv.Weight")
		c.HiddenSizes[s] = w.kernel(at + "0.Conv.Weight")[0]
	}
	return nil
}
