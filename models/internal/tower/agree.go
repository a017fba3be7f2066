package tower

import (
	"fmt"
	"math"
	"strconv"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models/internal/config"
)

// Statement says how a kind of configuration names its fields and words their values, in errors about fields that the
// weights contradict.
type Statement struct {
	// Name returns the name that the configuration has for a field of transformers'. nil means the same.
	Name func(field string) string
	// Found words the value that the configuration has for a field of that name. nil means the value alone.
	Found func(name string, value any) string
}

// Agree returns an error that names the first field of a configuration that the weights of an encoder contradict:
//
//	hidden_size: expected 192, as in patch_embed.proj.weight, found 768
//
// The fields are num_channels, patch_size, hidden_size, num_hidden_layers, intermediate_size, qkv_bias and image_size.
// Tensors that are missing or of an unexpected form contradict nothing.
func (y Statement) Agree(find Finder, stated Sizes) error {
	var v config.Checks
	if t, ok := find("Encoder.Patch.Weight"); ok && len(t.Shape) == 4 {
		patch := t.Shape[2]
		if stated.Stem == nil {
			same(&v, y, "num_channels", stated.Channels, t.Shape[1], t)
		} else {
			patch *= stated.Stem.Stride()
		}
		same(&v, y, "patch_size", stated.Patch, patch, t)
		same(&v, y, "hidden_size", stated.Width, t.Shape[0], t)
	}
	if t, ok := find("Encoder.Registers"); ok && len(t.Shape) == 3 {
		same(&v, y, "num_register_tokens", stated.Registers, t.Shape[1], t)
	}
	if err := v.Err(); err != nil {
		return err
	}
	if err := y.AgreeStack(find, "Encoder.Blocks", "", stated.Stack); err != nil {
		return err
	}
	if t, ok := find("Encoder.Positions"); ok && len(t.Shape) >= 2 {
		y.agreePositions(&v, stated, t)
	}
	for _, name := range []string{"Encoder.Blocks.0.Attention.Relative.Table", "Encoder.Relative.Table"} {
		if t, ok := find(name); ok && stated.Relative && len(t.Shape) == 2 {
			y.agreeRelative(&v, stated, t)
		}
	}
	return v.Err()
}

// AgreeStack does the same for the blocks under a path: their fields are hidden_size, num_hidden_layers, intermediate_size
// and qkv_bias, with a prefix.
func (y Statement) AgreeStack(find Finder, path, prefix string, stated Stack) error {
	var v config.Checks
	layers := 0
	var last checkpoint.Tensor
	for {
		t, ok := find(path + "." + strconv.Itoa(layers) + ".Norm1.Weight")
		if !ok {
			break
		}
		last = t
		layers++
	}
	fc1, ok := find(path + ".0.MLP.FC1.Weight")
	if stated.Parallel {
		fc1, ok = find(path + ".0.In.Weight")
	}
	matrix := ok && len(fc1.Shape) == 2
	if matrix {
		same(&v, y, prefix+"hidden_size", stated.Width, fc1.Shape[1], fc1)
	}
	if layers > 0 {
		same(&v, y, prefix+"num_hidden_layers", stated.Layers, layers, last)
	}
	if rows := 1; matrix {
		if stated.Gated && !separate(fc1) {
			rows = 2
		}
		hidden := fc1.Shape[0] / rows
		if stated.Parallel {
			hidden -= 3 * fc1.Shape[1]
		}
		same(&v, y, prefix+"intermediate_size", stated.Hidden, hidden, fc1)
	}
	weight, ok := find(path + ".0.Attention.QKV.Weight")
	bias, biased := find(path + ".0.Attention.QKV.Bias")
	if !biased {
		bias, biased = find(path + ".0.Attention.QVBias")
	}
	if stated.Parallel {
		bias, biased = find(path + ".0.In.Bias")
		weight, ok = fc1, matrix
	}
	switch {
	case biased:
		same(&v, y, "qkv_bias", stated.QKVBias, true, bias)
	case ok:
		weight.Name += " without a bias"
		same(&v, y, "qkv_bias", stated.QKVBias, false, weight)
	}
	return v.Err()
}

// agreePositions compares the number of positions with the stated grid. There may be one for the class token or not.
func (y Statement) agreePositions(v *config.Checks, stated Sizes, t checkpoint.Tensor) {
	patches, n := stated.Grid.Patches(), t.Shape[len(t.Shape)-2]
	prefix := 0
	for _, token := range []bool{stated.ClassToken, stated.Distillation} {
		if token {
			prefix++
		}
	}
	if stated.RegisterPositions {
		prefix += stated.Registers
	}
	if n == patches || n == patches+prefix {
		return
	}
	want := fmt.Sprintf("an image of %d patches of %d×%[2]d pixels", n-prefix, stated.Patch)
	if side := int(math.Round(math.Sqrt(float64(max(0, n-prefix))))); side > 0 && side*side == n-prefix {
		want = stated.pixels(Grid{side, side})
	}
	y.fail(v, "image_size", want, stated.pixels(stated.Grid), t)
}

// agreeRelative compares the number of relative positions with the stated grid.
func (y Statement) agreeRelative(v *config.Checks, stated Sizes, t checkpoint.Tensor) {
	n := t.Shape[0]
	if stated.ClassToken {
		n -= 3
	}
	if (2*stated.Grid.Rows-1)*(2*stated.Grid.Columns-1) == n {
		return
	}
	want := fmt.Sprintf("an image of %d relative positions", n)
	if across := int(math.Round(math.Sqrt(float64(max(0, n))))); across%2 == 1 && across*across == n {
		side := (across + 1) / 2
		want = stated.pixels(Grid{side, side})
	}
	y.fail(v, "image_size", want, stated.pixels(stated.Grid), t)
}

// pixels words the size of an image of a grid of patches.
func (s Sizes) pixels(g Grid) string {
	if g.Square() {
		return strconv.Itoa(g.Rows * s.Patch)
	}
	return fmt.Sprintf("%d×%d", g.Rows*s.Patch, g.Columns*s.Patch)
}

// same compares a stated value with the one that a tensor tells.
func same[T comparable](v *config.Checks, y Statement, field string, stated, told T, t checkpoint.Tensor) {
	if stated != told {
		y.fail(v, field, fmt.Sprint(told), stated, t)
	}
}

func (y Statement) fail(v *config.Checks, field, want string, stated any, t checkpoint.Tensor) {
	name, found := field, fmt.Sprint(stated)
	if y.Name != nil {
		name = y.Name(field)
	}
	if y.Found != nil {
		found = y.Found(name, stated)
	}
	v.Fail(name, "expected %s, as in %s, found %s", want, t.Name, found)
}
