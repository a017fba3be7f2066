package backbone

import (
	"fmt"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
)

// ResNetNames are the names of the parameters of a [ResNet] in transformers, and in torchvision and timm.
func ResNetNames(c Config) []checkpoint.Rule {
	rules := BlockNames()
	if c.ModelType == vdType {
		return append(append(rules[:2:2], c.shortcutNames()...), checkpoint.Rule{"Stem.{}.Conv", "embedder.embedder.{}.convolution"},
			checkpoint.Rule{"Stem.{}.Norm", "embedder.embedder.{}.normalization"})
	}
	if c.AverageDown { // the pooling has a number too
		rules[2][2], rules[3][2] = "layer{+1}.{}.downsample.1", "layer{+1}.{}.downsample.2"
	}
	if !c.DeepStem {
		return append(rules, checkpoint.Rule{"Stem.0.Conv", "embedder.embedder.convolution", "conv1"},
			checkpoint.Rule{"Stem.0.Norm", "embedder.embedder.normalization", "bn1"})
	}
	for i, names := range [][2]string{{"conv1.0", "conv1.1"}, {"conv1.3", "conv1.4"}, {"conv1.6", "bn1"}} {
		layer := fmt.Sprintf("Stem.%d", i)
		rules = append(rules, checkpoint.Rule{layer + ".Conv", "", names[0]}, checkpoint.Rule{layer + ".Norm", "", names[1]})
	}
	return rules
}

// BodyNames are the names of the parameters of a network in torchvision and timm, or the only names that it has. They are for
// the other model packages, which load networks with such a body.
func BodyNames(c Config) (rules []checkpoint.Rule) {
	switch c.ModelType {
	case shuffleType:
		return ShuffleNames("conv1", "branch1", "branch2")
	case dlaType:
		return dlaNames(c.Depths[2:])
	case plainType:
		return plainNames
	}
	for _, r := range ResNetNames(c) {
		rules = append(rules, checkpoint.Rule{r[0], r[len(r)-1]})
	}
	return rules
}

// shortcutNames are the names of the projections of a [ResNetVD], which transformers alone has. An average pooling before the
// projection has a number too.
func (c Config) shortcutNames() []checkpoint.Rule {
	var rules []checkpoint.Rule
	in := c.EmbeddingSize
	for s, out := range c.HiddenSizes {
		stride, name := 1, "shortcut"
		if s > 0 || c.DownsampleInFirstStage {
			stride = 2
		}
		if c.averages(in, out, stride) {
			name = "shortcut.1"
		}
		if stride > 1 || in != out || c.LayerType == Basic {
			path, theirs := fmt.Sprintf("Stages.%d.0.Down", s), fmt.Sprintf("encoder.stages.%d.layers.0.%s", s, name)
			rules = append(rules, checkpoint.Rule{path + ".Conv", theirs + ".convolution"}, checkpoint.Rule{path + ".Norm", theirs + ".normalization"})
		}
		in = out
	}
	return rules
}

// tableOf returns the table of names of a configuration.
func tableOf(c Config) checkpoint.Names {
	n := checkpoint.Names{
		Columns: []string{models.HuggingFace.String(), models.Timm.String()},
		// A file may put these before every name: transformers, and whatever held the model where it was trained, wrapped or
		// compiled.
		Prefixes: []string{"resnet.", "module.", "model.", "timm_model.", "_orig_mod."},
	}
	only := func(rules []checkpoint.Rule) []checkpoint.Rule { // the names are the same in both columns
		both := make([]checkpoint.Rule, len(rules))
		for i, r := range rules {
			both[i] = checkpoint.Rule{r[0], r[1], r[1]}
		}
		return both
	}
	body := func(rules []checkpoint.Rule) []checkpoint.Rule {
		return checkpoint.Nest("Body", []string{"", ""}, only(rules)...)
	}
	switch c.ModelType {
	case shuffleType:
		n.Columns[1] = models.Original.String() // timm has none
		n.Rules = append(body(ShuffleNames("conv1", "branch1", "branch2")),
			only([]checkpoint.Rule{{"Final.Conv", "conv5.0"}, {"Final.Norm", "conv5.1"}, {"Head", "fc"}})...)
	case dlaType:
		n.Rules = append(body(dlaNames(c.Depths[2:])),
			only([]checkpoint.Rule{{"Head.Weight", fmt.Sprintf("fc.weight [*,%d,1,1]", c.FeatureSize())}, {"Head.Bias", "fc.bias"}})...)
		n.Ignore = []string{"level*.project.*"} // the authors' files have projections that are not used
	case plainType:
		n.Columns = n.Columns[:1]
		n.Rules = append(checkpoint.Nest("Body", []string{""}, plainNames...), checkpoint.Rule{"Head", "head"})
	default:
		n.Rules = append(checkpoint.Nest("Body", []string{"resnet", ""}, ResNetNames(c)...), checkpoint.Rule{"Head", "classifier.1", "fc"})
	}
	return n
}

// TensorNames returns the table of the names of tensors in the model's files. It reads the names of transformers,
// torchvision and timm, and writes those of a layout, as [Model.Save] does: a ResNet that transformers lacks has timm's
// names in both. It panics for a layout that the network lacks.
func (m *Model) TensorNames(layout models.Layout) *checkpoint.Names {
	if layout == models.HuggingFace && m.Config.ownResNet() {
		layout = models.Timm
	}
	n := tableOf(m.Config)
	return n.Writing(layout.String())
}

// ownResNet reports a ResNet that transformers lacks.
func (c Config) ownResNet() bool {
	return c.ModelType == resNetType && (c.DeepStem || c.AverageDown || c.Dilated)
}
