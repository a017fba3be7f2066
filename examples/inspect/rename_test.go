package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/vit"
)

const vits = "../../models/vit/testdata/"

// outputs are the pixels and logits of a golden.
func outputs(t *testing.T, path string) []checkpoint.Entry {
	t.Helper()
	g := golden.Load(t, path)
	pixels, shape := g.Tensor("pixels")
	logits, wide := g.Tensor("logits")
	return []checkpoint.Entry{{Name: "pixels", Shape: shape, Floats: pixels}, {Name: "logits", Shape: wide, Floats: logits}}
}

// alone copies the weights of a folder to a folder of their own, without a configuration.
func alone(t *testing.T, folder string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "weights.safetensors")
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// renames are models and the names that they get. The renamed folder has the outputs of the golden, in Fovea and in the
// library. Without a golden they are those of the model as Fovea loads it. timm_class has two heads of 32 values; its weights
// alone tell one of 64, so the bare file is another model. transformers computes in the type of the file, so that is F32.
var renames = []struct {
	from, golden string
	bare         bool
	names, kind  string
}{
	{vits + "tiny", vits + "tiny/golden.safetensors", false, "timm", "timm"},
	{vits + "tiny", vits + "tiny/golden.safetensors", false, "hf", "vit"},
	{vits + "timm_class", vits + "timm_class.golden.safetensors", false, "hf", "vit"},
	{vits + "timm_class", vits + "timm_class.golden.safetensors", false, "timm", "timm"},
	{vits + "timm_mean", vits + "timm_mean.golden.safetensors", false, "timm", "timm"},
	{vits + "timm_clip", vits + "timm_clip.golden.safetensors", false, "timm", "timm"},
	{vits + "checkpoints/model_best.pth.tar", "", false, "hf", "vit"},
	{vits + "checkpoints/model_best.pth.tar", "", false, "timm", "timm"},
	{vits + "timm_class", "", true, "hf", "vit"},
	{vits + "deit", "", false, "hf", "named"},
	{vits + "registers", "", false, "hf", "named"},
	{vits + "dinov3", "", false, "hf", "named"},
}

// forward returns the logits of a model, or what it embeds where it has no classifier.
func forward(m *vit.Model, pixels checkpoint.Entry) *autograd.Tensor {
	x := autograd.NewTape(autograd.Options{}).Input(pixels.Floats, pixels.Shape...)
	if m.Head == nil {
		return m.Pooled(x)
	}
	return m.Forward(x)
}

// TestRename renames models to folders that Fovea loads to the same outputs, and the library of the names too.
func TestRename(t *testing.T) {
	saved := map[string][]modeltest.Saved{}
	for _, c := range renames {
		from := c.from
		if c.bare {
			from = alone(t, from)
		}
		out := filepath.Join(t.TempDir(), "out")
		text := inspect(t, "-names", c.names, "-dtype", "f32", "-to", out, from)
		kind, library := "ViT", map[string]string{"hf": "Hugging Face", "timm": "timm, original"}[c.names]
		if k := (map[string]string{vits + "deit": "DeiT", vits + "registers": "DINOv2 with registers", vits + "dinov3": "DINOv3"})[c.from]; k != "" {
			kind = k
		}
		if !strings.Contains(text, "looks like "+kind+" ("+library+")") || !strings.Contains(text, "images: ") {
			t.Errorf("%s, -names %s:\n%s", c.from, c.names, text)
		}
		if assumed := strings.Contains(text, "what is written is assumed"); assumed != (c.golden == "" || strings.HasSuffix(c.from, "tiny")) {
			t.Errorf("%s, -names %s: assumed: %v", c.from, c.names, assumed)
		}
		m, err := vit.Open(out, vit.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		own, err := vit.Open(from, vit.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if m.Preprocess != own.Preprocess || m.PreprocessAssumed {
			t.Errorf("%s, -names %s: the preprocessing is %+v, assumed: %v", c.from, c.names, m.Preprocess, m.PreprocessAssumed)
		}
		var pixels, logits checkpoint.Entry
		if c.golden != "" {
			both := outputs(t, c.golden)
			pixels, logits = both[0], both[1]
		} else {
			height, width := own.Config.Size()
			pixels = checkpoint.Entry{Name: "pixels", Shape: []int{1, 3, height, width}, Floats: make([]float32, 3*height*width)}
			for i := range pixels.Floats {
				pixels.Floats[i] = float32(i%7) - 3
			}
			y := forward(own, pixels)
			logits = checkpoint.Entry{Name: "logits", Shape: y.Shape(), Floats: y.Floats(nil)}
		}
		found := forward(m, pixels).Floats(nil)
		golden.Output(t, c.from+" as "+c.names, found, logits.Floats)
		saved[c.kind] = append(saved[c.kind], modeltest.Saved{Folder: out, Outputs: []checkpoint.Entry{pixels, logits}})
	}
	for kind, list := range saved {
		t.Run(kind, func(t *testing.T) { modeltest.Library(t, kind, list...) })
	}
}

// TestRenameAutoencoder renames the original release of a masked autoencoder, whose sizes the weights tell.
func TestRenameAutoencoder(t *testing.T) {
	const from = "../../models/mae/testdata/mae_original"
	out := filepath.Join(t.TempDir(), "out")
	if text := inspect(t, "-names", "hf", "-dtype", "f32", "-to", out, from); !strings.Contains(text, "looks like MAE with decoder (Hugging Face)") {
		t.Errorf("found\n%s", text)
	}
	g := golden.Load(t, from+".golden.safetensors")
	var entries []checkpoint.Entry
	for ours, theirs := range map[string]string{"pixels": "pixels", "noise": "noise", "prediction": "logits", "loss": "loss"} {
		values, shape := g.Tensor(ours)
		entries = append(entries, checkpoint.Entry{Name: theirs, Shape: shape, Floats: values})
	}
	modeltest.Library(t, "mae", modeltest.Saved{Folder: out, Outputs: entries})
}

// TestRenameFile renames the tensors of a file to another file, in shards too, with the names and values that Save writes.
func TestRenameFile(t *testing.T) {
	for names, layout := range map[string]models.Layout{"hf": models.HuggingFace, "timm": models.Timm} {
		for _, shard := range []string{"0", "50KB"} {
			m, err := vit.Open(vits+"timm_class", vit.LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			dir, out := t.TempDir(), t.TempDir()
			if err := m.Save(dir, vit.SaveOptions{Layout: layout, DType: checkpoint.F16}); err != nil {
				t.Fatal(err)
			}
			text := inspect(t, "-names", names, "-shard", shard, "-to", filepath.Join(out, "model.safetensors"), vits+"timm_class")
			if !strings.Contains(text, ": F16, ") { // as in the file
				t.Errorf("found\n%s", text)
			}
			if d := cmp.Diff(modeltest.Weights(t, os.DirFS(dir)), modeltest.Weights(t, os.DirFS(out))); d != "" {
				t.Errorf("%s, shards of %s: %s", names, shard, d)
			}
			if list, _ := os.ReadDir(out); (len(list) == 1) != (shard == "0") {
				t.Errorf("%s, shards of %s: found %v", names, shard, list)
			}
		}
	}
}

// TestRenameTypes keeps a type that all values have, takes that of -dtype, and does not round without being asked to.
func TestRenameTypes(t *testing.T) {
	weights := modeltest.Weights(t, os.DirFS(vits+"timm_class"))
	write := func(types ...checkpoint.DType) string {
		var entries []checkpoint.Entry
		for name, w := range weights {
			entries = append(entries, checkpoint.Entry{Name: name, Shape: w.Shape, Floats: w.Values, DType: types[len(entries)%len(types)]})
		}
		path := filepath.Join(t.TempDir(), "vit.safetensors")
		if err := checkpoint.Write(path, entries, checkpoint.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		types []checkpoint.DType
		flag  string
		want  string
	}{
		{[]checkpoint.DType{checkpoint.F16}, "", ": F16, "},
		{[]checkpoint.DType{checkpoint.BF16}, "", ": BF16, "},
		{[]checkpoint.DType{checkpoint.F16, checkpoint.BF16}, "", ": F32, "},
		{[]checkpoint.DType{checkpoint.F32}, "bf16", ": BF16, "},
		{[]checkpoint.DType{checkpoint.F64}, "f32", ": F32, "},
		{[]checkpoint.DType{checkpoint.F32, checkpoint.F64}, "", ""},
	} {
		args := []string{"-names", "hf", "-to", filepath.Join(t.TempDir(), "out")}
		if c.flag != "" {
			args = append(args, "-dtype", c.flag)
		}
		var stdout, stderr bytes.Buffer
		status := command(append(args, write(c.types...)), &stdout, &stderr)
		switch {
		case c.want == "" && (status != 1 || !strings.Contains(stderr.String(), "F64 and would be rounded")):
			t.Errorf("%v: status %d, %s", c.types, status, &stderr)
		case c.want != "" && (status != 0 || !strings.Contains(stdout.String(), c.want)):
			t.Errorf("%v: status %d, expected %q, found %s%s", c.types, status, c.want, &stdout, &stderr)
		}
	}
}

// TestImages shows how images are prepared, and whether a file states it.
func TestImages(t *testing.T) {
	for path, want := range map[string]*images{
		vits + "timm_class":         {false, "shorter side to 17 (bicubic), center 16×16, mean 0.5, deviation 0.5"},
		vits + "tiny":               {true, "stretched to 24×24 (bilinear), mean 0.5, deviation 0.5"},
		stored + "/hub.safetensors": nil,
	} {
		var s summary
		if err := json.Unmarshal([]byte(inspect(t, "-json", path)), &s); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, s.Images); d != "" {
			t.Errorf("%s: %s", path, d)
		}
	}
	if text := inspect(t, vits+"tiny"); !strings.Contains(text, "\nimages: assumed, as no file states it: stretched to 24×24") {
		t.Errorf("found\n%s", text)
	}
}
