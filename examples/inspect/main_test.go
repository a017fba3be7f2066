package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/internal/test/hubtest"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/internal/test/oracle"
	"github.com/fovea-ml/fovea/models/vit"
)

const stored = "../../checkpoint/testdata"

// inspect runs the program, expects success, and returns its standard output.
func inspect(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := command(args, &stdout, &stderr); status != 0 || stderr.Len() > 0 {
		t.Fatalf("%s: exit status %d, %s", args, status, &stderr)
	}
	return stdout.String()
}

// small saves a small model in the layout of Hugging Face and returns its folder and outputs.
func small(t *testing.T) modeltest.Saved {
	t.Helper()
	c := vit.Tiny16()
	c.ImageSize, c.PatchSize, c.NumHiddenLayers = 32, 8, 3
	m := vit.New(c, 7, rand.New(rand.NewPCG(1, 2)))
	dir := t.TempDir()
	if err := m.Save(dir, vit.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	pixels := make([]float32, 3*32*32)
	for i := range pixels {
		pixels[i] = float32(math.Sin(float64(i)))
	}
	shape := []int{1, 3, 32, 32}
	logits := m.Forward(autograd.NewTape(autograd.Options{}).Input(pixels, shape...))
	return modeltest.Saved{Folder: dir, Outputs: []checkpoint.Entry{
		{Name: "pixels", Shape: shape, Floats: pixels},
		{Name: "logits", Shape: logits.Shape(), Floats: logits.Floats(nil)},
	}}
}

func TestPrint(t *testing.T) {
	dir := small(t).Folder
	got := inspect(t, dir)
	want := dir + `: safetensors, 5.5 MB
1,376,839 parameters in 56 tensors: F32, 5.5 MB
looks like ViT (Hugging Face): 3 blocks of width 192, 3 heads, patches of 8×8; 7 classes
config.json: vit, ViTForImageClassification
images: stretched to 32×32 (bilinear), mean 0.5, deviation 0.5

metadata
  format  pt

classifier.bias                                            [7]          F32   28 bytes
classifier.weight                                          [7 192]      F32     5.4 kB
vit.embeddings.cls_token                                   [1 1 192]    F32  768 bytes
vit.embeddings.patch_embeddings.projection.bias            [192]        F32  768 bytes
vit.embeddings.patch_embeddings.projection.weight          [192 3 8 8]  F32   147.5 kB
vit.embeddings.position_embeddings                         [1 17 192]   F32    13.1 kB
vit.encoder.layer.{0..2}.attention.attention.key.bias      [192]        F32     2.3 kB
vit.encoder.layer.{0..2}.attention.attention.key.weight    [192 192]    F32   442.4 kB
`
	if !strings.HasPrefix(got, want) {
		t.Errorf("found\n%s\nexpected a text that starts with\n%s", got, want)
	}
	if lines := strings.Count(got, "\n"); lines != 9+24 {
		t.Errorf("%d lines", lines)
	}
	all := inspect(t, "-all", "-stats", filepath.Join(dir, "model.safetensors"))
	if strings.Contains(all, "{0..2}") || !strings.Contains(all, "vit.encoder.layer.1.layernorm_after.weight            [192]        F32  768 bytes  1 to 1, mean 1\n") {
		t.Errorf("-all -stats gives\n%s", all)
	}
	types := inspect(t, "-stats", stored+"/types.safetensors")
	for _, line := range []string{
		"float32                   [4 8]    F32      128 bytes  -3.403e+38 to 3.403e+38, mean -0.1502, 1 NaN, 2 infinite\n",
		"bool                      [1 3]    BOOL       3 bytes  0 to 1, mean 0.6667\n",
		"complex64                 [1]      C64        8 bytes\n",
		"uint64.beyond             [1]      U64        8 bytes\n",
		`"näme \"with\" \\ and\n"  [1]      F32        4 bytes  1 to 1, mean 1` + "\n",
	} {
		if !strings.Contains(types, line) {
			t.Errorf("expected %q in\n%s", line, types)
		}
	}
}

// TestHub shows a model that is on the hub.
func TestHub(t *testing.T) {
	h := hubtest.New()
	defer h.Close()
	files := map[string][]byte{"config.json": []byte("{}")}
	list, err := os.ReadDir(filepath.Join(stored, "sharded"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if files[e.Name()], err = os.ReadFile(filepath.Join(stored, "sharded", e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	h.Add("somebody/cut", files)
	h.Use(t)
	var s summary
	if err := json.Unmarshal([]byte(inspect(t, "-json", "somebody/cut")), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Files) != 2 || s.Tensors != 12 {
		t.Errorf("%+v", s)
	}
}

// TestJSONOutput checks the fields that scripts read, for safetensors and PyTorch files.
func TestJSONOutput(t *testing.T) {
	var s summary
	parse := func(args ...string) {
		t.Helper()
		s = summary{}
		if err := json.Unmarshal([]byte(inspect(t, append([]string{"-json"}, args...)...)), &s); err != nil {
			t.Fatal(err)
		}
	}
	parse(stored + "/sharded")
	if len(s.Files) != 2 || string(s.Files[1].Name) != filepath.Join(stored, "sharded", "model-00002-of-00002.safetensors") || s.Tensors != 12 || s.Parameters != 96 || s.Bytes != 424 || s.Metadata["format"] != "pt" {
		t.Errorf("sharded: %+v", s)
	}
	if d := cmp.Diff([]typeCount{{"F32", 11, 384}, {"I64", 1, 40}}, s.Types); d != "" {
		t.Error(d)
	}
	parse("-stats", stored+"/torch/zip.pt")
	if s.Files[0].Format != "PyTorch" || len(s.Tied) != 1 || s.Tied[0][0] != "base" || len(s.List) != s.Tensors {
		t.Errorf("zip.pt: %+v", s)
	}
	parse("-root", "optimizer.state", stored+"/torch/training.pt")
	if s.Tensors == 0 {
		t.Errorf("-root: %+v", s)
	}
	parse(stored + "/hub.safetensors")
	if s.Family != nil {
		t.Errorf("expected no family, found %+v", s.Family)
	}
}

// TestConvert converts files of every format and type. The Python package safetensors compares the results.
func TestConvert(t *testing.T) {
	var pairs []string
	for _, c := range []struct{ in, want string }{
		{"types.safetensors", "types.safetensors"},
		{"sharded", "hub.safetensors"},
		{"torch/zip.pt", ""},
		{"torch/legacy.pt", ""},
		{"torch/sharded", ""},
	} {
		for _, shard := range []string{"0", "200B"} {
			out := filepath.Join(t.TempDir(), "out.safetensors")
			text := inspect(t, "-to", out, "-shard", shard, filepath.Join(stored, c.in))
			if !strings.HasPrefix(text, out) && !strings.HasPrefix(text, "shared data, written once for each name: base, base_again\n"+out) {
				t.Errorf("%s: %s", c.in, text)
			}
			if _, err := os.Stat(out); (err == nil) != (shard == "0") {
				t.Errorf("%s, -shard %s: %v", c.in, shard, err)
			}
			if c.want != "" {
				pairs = append(pairs, filepath.Join(stored, c.want), written(out))
			}
		}
	}
	if answer := oracle.Run(t, "safetensors", "checkpoint.py", append([]string{"same"}, pairs...)...); strings.TrimSpace(string(answer)) != "equal" {
		t.Errorf("%s", answer)
	}
}

// TestConvertedModel shards a model, which transformers then loads and runs with the same outputs.
func TestConvertedModel(t *testing.T) {
	m := small(t)
	out := t.TempDir()
	for _, name := range []string{"config.json", "preprocessor_config.json"} {
		data, err := os.ReadFile(filepath.Join(m.Folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(out, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	to := filepath.Join(out, "model.safetensors")
	text := inspect(t, "-to", to, "-shard", "1MB", m.Folder)
	if !strings.HasPrefix(text, to+".index.json: 7 files of safetensors, 5.5 MB in all\n1,376,839 parameters in 56 tensors: F32, 5.5 MB\n") {
		t.Errorf("found\n%s", text)
	}
	if list, _ := filepath.Glob(filepath.Join(out, "model-0000?-of-00007.safetensors")); len(list) != 7 {
		t.Errorf("found %q", list)
	}
	half := t.TempDir()
	if text := inspect(t, "-to", filepath.Join(half, "half.safetensors"), "-dtype", "f16", out); !strings.Contains(text, "1,376,839 parameters in 56 tensors: F16, 2.8 MB\n") {
		t.Errorf("found\n%s", text)
	}
	modeltest.Library(t, "vit", modeltest.Saved{Folder: out, Outputs: m.Outputs})
}

// TestInterrupted interrupts a conversion. It must leave no new file and keep the old one.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(console.ErrInterrupted)
	dir := t.TempDir()
	out := filepath.Join(dir, "out.safetensors")
	if err := os.WriteFile(out, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	in := filepath.Join(stored, "types.safetensors")
	for _, s := range []settings{
		{Path: in, To: out, shard: math.MaxInt64},
		{Path: in, To: out, shard: 100},
		{Path: in, Stats: true},
	} {
		var stdout, stderr bytes.Buffer
		if err := run(ctx, s, &stdout, &stderr); !errors.Is(err, console.ErrInterrupted) || stdout.Len() > 0 {
			t.Errorf("%+v: found %v, %s", s, err, &stdout)
		}
		list, _ := os.ReadDir(dir)
		if data, _ := os.ReadFile(out); len(list) != 1 || string(data) != "old" {
			t.Errorf("%+v: the folder holds %v", s, list)
		}
	}
}

// TestBadInput expects exit status 1 and one line that names the mistake.
func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	good, err := os.ReadFile(stored + "/timm.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"cut.safetensors": good[:len(good)-1], "text.pth": []byte("not a checkpoint"), "nothing.pt": {}, "several/a.safetensors": good, "several/b.pth": good,
		"none/readme.txt": {}, "mine/model.safetensors": good, "config/model.safetensors": good, "config/config.json": []byte("{"),
		"odd/model.safetensors.index.json": []byte(`{"weight_map":{"head.weight":"part.safetensors"}}`), "odd/part.safetensors": good,
		"marked/all.index.json": []byte(`{"weight_map":{"head.weight":"x-00001-of-00002.0123abcd.safetensors"}}`), "marked/x-00001-of-00002.0123abcd.safetensors": good,
	} {
		os.MkdirAll(filepath.Dir(at(name)), 0o777)
		if err := os.WriteFile(at(name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"", "expected the path"},
		{"a b", `found also "b"`},
		{"-nonsense", "nonsense"},
		{"@missing.safetensors", "missing.safetensors"},
		{"@cut.safetensors", "cut.safetensors"},
		{"@text.pth", "text.pth"},
		{"@nothing.pt", "nothing.pt"},
		{"@several", "choose one of a.safetensors, b.pth"},
		{"@none", "@none"},
		{"@config", "config.json"},
		{"-root ema @mine", "ema"},
		{"-dtype f16 @mine", "-dtype and -shard need -to"},
		{"-dtype f8 -to @x.safetensors @mine", "expected f16, bf16, f32 or f64"},
		{"-names hf @mine", "-names needs -to"},
		{"-names keras -to @x @mine", "expected hf or timm, found"},
		{"-names hf -shard 1GB -to @x @mine", "-shard needs a file"},
		{"-names hf -dtype f64 -to @x @mine", "found f64"},
		{"-to @x @mine", "folders need -names"},
		{"-names hf -to @several @mine", "expected a new or an empty folder"},
		{"-names hf -to @text.pth @mine", "text.pth"},
		{"-names hf -to @x @mine", "holds no"},
		{"-names hf -to @x.safetensors " + stored + "/types.safetensors", "holds no Vision Transformer"},
		{"-names timm -to @x ../../models/mae/testdata/tiny", "timm has no masked autoencoder"},
		{"-names hf -to @x ../../models/vit/testdata/timm_mean", "transformers has no model with pooling"},
		{"-names hf -to @x.safetensors ../../models/vit/testdata/timm_clip", "transformers has no model with pre_norm"},
		{"-names hf -to ../../models/vit/testdata/tiny/model.safetensors ../../models/vit/testdata/tiny", "would replace"},
		{"-shard many -to @x.safetensors @mine", "expected a size such as 5GB"},
		{"-shard -1 -to @x.safetensors @mine", "expected a size"},
		{"-shard NaN -to @x.safetensors @mine", "expected a size"},
		{"-to @x.pth @mine", "ends in .safetensors"},
		{"-to @away/x.safetensors @mine", "away"},
		{"-to @mine/model.safetensors @mine", "would replace"},
		{"-to @mine/model.safetensors @mine/model.safetensors", "would replace"},
		{"-to @odd/model.safetensors @odd", "would replace"},
		{"-to @odd/model.safetensors @odd/model.safetensors.index.json", "would replace"},
		{"-to @marked/x.safetensors @marked/all.index.json", "would replace"},
		{"-to @x.safetensors -dtype f16 " + stored + "/types.safetensors", "is beyond the range of F16"},
	} {
		t.Run(c.args, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := command(strings.Fields(strings.ReplaceAll(c.args, "@", dir+string(filepath.Separator))), &stdout, &stderr)
			text := stderr.String()
			if status != 1 || stdout.Len() > 0 || strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "inspect: ") {
				t.Errorf("exit status %d, output %q, error %q", status, &stdout, text)
			}
			if want := strings.ReplaceAll(c.want, "@", dir+string(filepath.Separator)); !strings.Contains(text, want) {
				t.Errorf("found %q, expected %q in it", text, want)
			}
			t.Log(strings.TrimSpace(strings.ReplaceAll(text, dir, "DIR")))
			for _, name := range []string{"x.safetensors", "x"} {
				if _, err := os.Stat(at(name)); err == nil {
					t.Errorf("%s was written", name)
				}
			}
		})
	}
}

// TestTerminal checks that tensor names cannot control the terminal.
func TestTerminal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd.safetensors")
	entries := []checkpoint.Entry{{Name: "\x1b[2J.0", Floats: []float32{1}}, {Name: "\x1b[2J.1", Floats: []float32{1}}, {Name: "\u202egnp", Floats: []float32{1}}}
	if err := checkpoint.Write(path, entries, checkpoint.WriteOptions{Metadata: map[string]string{"\x07": "a\rb"}}); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{path}, {"-all", path}, {"-json", path}} {
		if text := inspect(t, args...); strings.ContainsAny(text, "\x1b\x07\r\u202e") && args[0] != "-json" || strings.Contains(text, "\x1b") {
			t.Errorf("%s: %q", args, text)
		}
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{"5GB": 5e9, "2GiB": 2 << 30, "500MB": 5e8, "1.5kB": 1500, "7": 7, "8B": 8, "1 MB": 1e6, "0": math.MaxInt64, "0GB": math.MaxInt64, "0.1": 1} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%q: found %d, %v, expected %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "GB", "-1", "1e30GB", "inf", "5XB", "NaNMB"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q: found %d", text, got)
		}
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if status := command([]string{"-h"}, &stdout, &stderr); status != 0 || stderr.Len() > 0 {
		t.Errorf("exit status %d, standard error %q", status, &stderr)
	}
	for _, name := range []string{"all", "stats", "json", "root", "to", "names", "dtype", "shard"} {
		if !strings.Contains(stdout.String(), "  -"+name) {
			t.Errorf("-h does not explain -%s", name)
		}
	}
}

// TestRoots says which of several sets of weights is shown, and which there are.
func TestRoots(t *testing.T) {
	file := stored + "/torch/training.pt"
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{file}, "the weights under model_ema.state_dict\n-root chooses others: model\n"},
		{[]string{"-root", "model", file}, "the weights under model\n-root chooses others: model_ema.state_dict\n"},
		{[]string{stored + "/torch/nested.pt"}, "the weights under state_dict\n"},
	} {
		if got := inspect(t, c.args...); !strings.Contains(got, c.want) {
			t.Errorf("%q: expected %q, found\n%s", c.args, c.want, got)
		}
	}
	var sum summary
	if err := json.Unmarshal([]byte(inspect(t, "-json", file)), &sum); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"model"}, {"model_ema", "state_dict"}}, sum.Roots); diff != "" || strings.Join(sum.Root, ".") != "model_ema.state_dict" {
		t.Errorf("found the root %q, %s", sum.Root, diff)
	}
}
