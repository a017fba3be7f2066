package modelfolder

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/quant"
)

// images has convolutions that the rule makes integers, bfloat16 and neither.
type images struct {
	Stem   *nn.Conv2d
	Blocks []*nn.ConvNorm
	Head   *nn.Conv2d
}

func newImages() *images {
	return &images{
		Stem:   nn.NewConv2d(3, 32, 3, false, autograd.Conv2dOptions{}),
		Blocks: []*nn.ConvNorm{nn.NewConvNorm(32, 16, 3, autograd.ActRelu, autograd.Conv2dOptions{})},
		Head:   nn.NewConv2d(16, 20, 1, true, autograd.Conv2dOptions{}),
	}
}

// imageFamily has the names of images.
func imageFamily() Family {
	y := small
	y.Names = &checkpoint.Names{
		Columns: []string{models.HuggingFace.String()},
		Rules:   []checkpoint.Rule{{"Stem", "stem"}, {"Blocks.{}.Conv", "blocks.{}.conv"}, {"Blocks.{}.Norm", "blocks.{}.norm"}, {"Head", "head"}},
	}
	return y
}

// saveQuantized saves images that a rule converted.
func saveQuantized(t *testing.T, rule quant.Rule) (dir string, m *images) {
	t.Helper()
	m, rng := newImages(), rand.New(rand.NewPCG(1, 2))
	for _, c := range nn.Layers[nn.Conv2d](m) {
		nn.Normal(rng, c.Weight, 1)
	}
	if _, err := quant.Quantize(m, rule); err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := imageFamily().Save(dir, Contents{Config: map[string]any{"model_type": "small"}, Model: m}, models.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	return dir, m
}

// TestQuantizedConvolutions saves convolutions and reads them again: types, arithmetic and values. Where some are integers,
// no quant_method is named, so that transformers refuses the folder.
func TestQuantizedConvolutions(t *testing.T) {
	for format, rule := range map[string]quant.Rule{convFormat: quant.Blocks, quantFormat: quant.Halves} {
		dir, m := saveQuantized(t, rule)
		config, err := os.ReadFile(filepath.Join(dir, ConfigName))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(config), `"format": "`+format+`"`) || strings.Contains(string(config), "quant_method") != (format == quantFormat) {
			t.Errorf("found %s, expected the format %s", config, format)
		}
		_, quantized, err := cutQuantization(ConfigName, config)
		if err != nil || !quantized {
			t.Fatalf("%s: quantized %t, %v", format, quantized, err)
		}
		f, err := checkpoint.OpenFolder(os.DirFS(dir), checkpoint.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got := newImages()
		if err := (&Folder{FS: os.DirFS(dir), Weights: f, family: imageFamily(), quantized: quantized}).Fill(got); err != nil {
			t.Fatal(err)
		}
		want := map[string]*autograd.Parameter{}
		for path, p := range nn.Parameters(m) {
			want[path] = p
		}
		for path, p := range nn.Parameters(got) {
			if w := want[path]; p.DType() != w.DType() || p.MathLimit() != w.MathLimit() || !slices.Equal(p.Values(), w.Values()) {
				t.Errorf("%s: %s is %v in %v, expected %v in %v", format, path, p.DType(), p.MathLimit(), w.DType(), w.MathLimit())
			}
		}
	}
}

// TestQuantizedConvolutionsRefused expects the name of a tensor of integers, or of its scales, that do not fit.
func TestQuantizedConvolutionsRefused(t *testing.T) {
	const weight, scale = "blocks.0.conv.weight", "blocks.0.conv.weight_scale"
	dir, _ := saveQuantized(t, quant.Blocks)
	f, err := checkpoint.OpenFolder(os.DirFS(dir), checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		tensor  string
		replace []checkpoint.Entry // the tensor
		want    string
	}{
		"no scales":       {scale, nil, weight},
		"no integers":     {weight, nil, weight},
		"a scale":         {scale, []checkpoint.Entry{{Name: scale, Shape: []int{1, 1}, Floats: []float32{1}}}, weight},
		"scales in a row": {scale, []checkpoint.Entry{{Name: scale, Shape: []int{1, 16}, Floats: make([]float32, 16)}}, weight},
		"of each tap":     {scale, []checkpoint.Entry{{Name: scale, Shape: []int{16, 9}, Floats: make([]float32, 16*9)}}, weight},
		"of 4 dimensions": {scale, []checkpoint.Entry{{Name: scale, Shape: []int{16, 1, 1, 1}, Floats: make([]float32, 16)}}, weight},
		"integer scales":  {scale, []checkpoint.Entry{{Name: scale, Shape: []int{16, 1}, Ints: make([]int64, 16)}}, weight},
		"another kernel":  {weight, []checkpoint.Entry{{Name: weight, Shape: []int{16, 32, 9, 1}, Ints: make([]int64, 16*32*9), DType: checkpoint.I8}}, weight},
		"fewer filters":   {weight, []checkpoint.Entry{{Name: weight, Shape: []int{15, 32, 3, 3}, Ints: make([]int64, 15*32*9), DType: checkpoint.I8}}, weight},
	} {
		entries := slices.Clone(c.replace)
		for tensor := range f.Tensors() {
			if tensor.Name != c.tensor {
				entries = append(entries, tensor.Entry())
			}
		}
		var b bytes.Buffer
		if err := checkpoint.Encode(&b, entries, checkpoint.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		changed, err := checkpoint.Parse("model.safetensors", b.Bytes(), checkpoint.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		err = (&Folder{FS: os.DirFS(dir), Weights: changed, family: imageFamily(), quantized: true}).Fill(newImages())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: found %v, expected an error that names %s", name, err, c.want)
		}
	}
	// A format without a method, and a method that has its own format.
	const method, format = `"quant_method":"compressed-tensors"`, `"format":"int-quantized","global`
	conv := strings.Replace(usual, format, `"format":"int-quantized-conv","global`, 1)
	for _, c := range []struct{ config, old, new, want string }{
		{conv, method, `"quant_method":null`, ""},
		{conv, method, method, `quant_method: expected null or {} or [], found "compressed-tensors"`},
		{usual, method, `"quant_method":null`, `quant_method: expected "compressed-tensors", found null`},
		{usual, method, `"quant_method":"gptq"`, `quant_method: expected "compressed-tensors", found "gptq"`},
		{usual, format, `"format":"int-quantized-convs","global`, `format: expected "int-quantized", found "int-quantized-convs"`},
		{strings.Replace(conv, method, `"quant_method":null`, 1), `"format":"int-quantized","input`, `"format":"pack-quantized","input`, `format: expected "int-quantized" or null, found "pack-quantized"`},
	} {
		if !strings.Contains(c.config, c.old) {
			t.Fatalf("no %s in %s", c.old, c.config)
		}
		config := strings.Replace(c.config, c.old, c.new, 1)
		if err := checkQuantization(ConfigName, []byte(config)); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: found %v", c.new, err)
		}
	}
}
