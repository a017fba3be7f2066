package backbone

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/timm"
)

// timmName matches timm's networks that load, without their tags.
var timmName = regexp.MustCompile(`^((tv_|gluon_)?resnet(18|26|34|50|101|152|200)(_v1b)?d?|dla34)$`)

// resNetName matches the names of networks that timmName must match too.
var resNetName = regexp.MustCompile(`^(resnet|tv_|gluon_|dla)`)

// timmConfig returns the configuration of a folder of timm's. The name says which network it is, and the weights the sizes.
func timmConfig(f *modelfolder.Folder) (Config, error) {
	h, err := timm.ReadHeader(f.Config)
	if err != nil {
		return Config{}, err
	}
	if name, _, _ := strings.Cut(h.Architecture, "."); !timmName.MatchString(name) {
		return Config{}, fmt.Errorf("config.json: architecture: %q is not supported", h.Architecture)
	}
	if h.ModelArgs != nil && !strictjson.Null(h.ModelArgs) {
		if err := checkArgs(h.ModelArgs); err != nil {
			return Config{}, fmt.Errorf("config.json: model_args: %w", err)
		}
	}
	c, err := ConfigOf(f.Weights)
	c.Classes = (&timm.Config{LabelNames: h.LabelNames, Problem: h.Problem}).Classes()
	return c, f.Checked(&c, err)
}

// checkArgs refuses arguments that would change the answer, and those that timm does not know.
func checkArgs(data []byte) error {
	if err := argFields.Check(data); err != nil {
		return err
	}
	unknown := ""
	err := strictjson.Object(data, func(key string, _ []byte) {
		if len(argFields.Missing([]string{key})) > 0 {
			unknown = key
		}
	})
	if err == nil && unknown != "" {
		err = fmt.Errorf("%s: timm's networks have no such argument", unknown)
	}
	return err
}

// timmResNet is a ResNet that timm has a name for.
type timmResNet struct {
	name   string
	layer  string
	depths []int
}

var timmResNets = []timmResNet{
	{"resnet18", Basic, []int{2, 2, 2, 2}}, {"resnet34", Basic, []int{3, 4, 6, 3}}, {"resnet26", Bottleneck, []int{2, 2, 2, 2}},
	{"resnet50", Bottleneck, []int{3, 4, 6, 3}}, {"resnet101", Bottleneck, []int{3, 4, 23, 3}},
	{"resnet152", Bottleneck, []int{3, 8, 36, 3}}, {"resnet200", Bottleneck, []int{3, 24, 36, 3}},
}

var errNotTimm = errors.New("timm has no such network; the layout of Hugging Face keeps the model for Load")

// named returns timm's name of a network, and its configuration there.
func named(c Config) (name string, theirs Config, err error) {
	if c.ModelType == dlaType {
		return "dla34", DLA34(), nil
	}
	at := slices.IndexFunc(timmResNets, func(r timmResNet) bool { return r.layer == c.LayerType && slices.Equal(r.depths, c.Depths) })
	if at < 0 || c.DeepStem != c.AverageDown || c.Dilated {
		return "", theirs, errNotTimm
	}
	name, theirs = timmResNets[at].name, resNet(c.LayerType, c.Depths...)
	if c.DeepStem {
		name += "d"
	}
	return name, theirs, nil
}

// ResNetOf returns the configuration of a ResNet by timm's name, such as resnet50, without classes. It is an error for another
// network. It is for the other model packages.
func ResNetOf(name string) (Config, error) {
	plain, deep := strings.CutSuffix(name, "d")
	at := slices.IndexFunc(timmResNets, func(r timmResNet) bool { return r.name == plain })
	if at < 0 {
		return Config{}, fmt.Errorf("the network %q is not supported: expected a plain ResNet, such as resnet50", name)
	}
	c := resNet(timmResNets[at].layer, timmResNets[at].depths...)
	c.DeepStem, c.AverageDown = deep, deep
	return c, nil
}

// NameOf returns timm's name of a ResNet that [ResNetOf] gives for it, or "".
func NameOf(c Config) string {
	c.Dilated = false
	if c.ModelType != resNetType || c.NumChannels != 3 {
		return ""
	}
	if name, theirs, err := named(c); err == nil && sameConfig(c, theirs) {
		return name
	}
	return ""
}

// forTimm describes a model with the given number of classes to timm.
func (m *Model) forTimm(c Config, classes int) (*timm.Config, error) {
	name, theirs, err := named(c)
	if err != nil {
		return nil, err
	}
	if !sameConfig(c, theirs) {
		return nil, errNotTimm
	}
	height, width, ok := m.Preprocess.FixedSize()
	if !ok {
		height, width = imageSize, imageSize
	}
	out := &timm.Config{
		Architecture: name, NumClasses: classes, NumFeatures: c.FeatureSize(), GlobalPool: "avg", LabelNames: timm.Labels(c.ID2Label),
		Problem: c.Problem, ModelArgs: &timm.Args{},
		Pretrained: timm.Prepared(&m.Preprocess, c.NumChannels, config.Size{Height: height, Width: width}, classes),
	}
	if c.NumChannels != 3 {
		out.ModelArgs.Channels = c.NumChannels
	}
	out.Pretrained.FirstConv, out.Pretrained.Classifier = "conv1", "fc"
	switch {
	case c.ModelType == dlaType:
		out.Pretrained.FirstConv = "base_layer.0"
	case c.DeepStem:
		out.Pretrained.FirstConv = "conv1.0"
	}
	return out, nil
}

// sameConfig compares what describes the network.
func sameConfig(a, b Config) bool {
	return slices.Equal(a.HiddenSizes, b.HiddenSizes) && slices.Equal(a.Depths, b.Depths) && a.EmbeddingSize == b.EmbeddingSize &&
		a.FinalSize == b.FinalSize && a.act() == b.act() && a.DownsampleInFirstStage == b.DownsampleInFirstStage && a.DownsampleInBottleneck == b.DownsampleInBottleneck
}
