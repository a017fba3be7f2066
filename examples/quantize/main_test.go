package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/simd"
)

const tiny = "../../models/vit/testdata/tiny"

// TestConvert converts a model, keeps a layer, and loads the folder.
func TestConvert(t *testing.T) {
	var stdout, stderr bytes.Buffer
	out := filepath.Join(t.TempDir(), "out")
	if status := command([]string{"-model", tiny, "-out", out, "-keep", "*.0.MLP.FC2.Weight", "-keep-math", "bf16", "-json"}, &stdout, &stderr); status != 0 {
		t.Fatalf("status %d: %s", status, &stderr)
	}
	var r result
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	for _, l := range r.Layers {
		want := "int8"
		switch {
		case strings.HasSuffix(l.Path, ".0.MLP.FC2.Weight"):
			want = "bf16"
		case l.Path == "Head.Weight":
			want = "strict"
		}
		if l.Math != want || !(l.Error > 0 && l.Error < 0.05) || l.After > l.Before {
			t.Errorf("%+v, expected %s", l, want)
		}
	}
	if r.Before <= r.After || r.Accuracy != nil || r.Images != 0 || r.Math.Mode != "int8" || len(r.Layers) < 5 {
		t.Errorf("found %+v", r)
	}
	if !strings.Contains(stderr.String(), "computes in int8 by ") || !strings.Contains(stderr.String(), "all parameters: ") {
		t.Error(stderr.String())
	}
	m, err := vit.Open(out, models.LoadOptions{})
	if err != nil || m.Math != simd.Int8 {
		t.Errorf("loaded: %v", err)
	}
}

// TestErrors expects one line and status 1.
func TestErrors(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"-model: expected a folder", nil},
		{"-out: expected a folder", []string{"-model", tiny}},
		{"-out: " + dir + " exists", []string{"-model", tiny, "-out", dir}},
		{"-keep-math: expected strict or bf16, found int8", []string{"-model", tiny, "-out", out, "-keep-math", "int8"}},
		{"-tables: expected strict or bf16, found int8", []string{"-model", tiny, "-out", out, "-tables", "int8"}},
		{`-keep: syntax error in pattern: "["`, []string{"-model", tiny, "-out", out, "-keep", "["}},
		{"expected flags only", []string{"-model", tiny, "-out", out, "x"}},
		{"-data: ", []string{"-model", tiny, "-out", out, "-data", "nothing"}},
		{"-model: ", []string{"-model", "../../models/backbone/testdata", "-out", out}},
	} {
		var stdout, stderr bytes.Buffer
		status := command(c.args, &stdout, &stderr)
		if status != 1 || !strings.HasPrefix(stderr.String(), "quantize: "+c.want) || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%q: status %d, %s", c.args, status, &stderr)
		}
	}
}

// TestTables converts the tables of a text model too, and refuses a model without tables.
func TestTables(t *testing.T) {
	const text = "../../models/bert/testdata/distilbert-ForTokenClassification"
	sizes := map[string]int64{}
	for _, mode := range []string{"strict", "bf16"} {
		var stdout, stderr bytes.Buffer
		if status := command([]string{"-model", text, "-out", filepath.Join(t.TempDir(), "out"), "-tables", mode, "-json"}, &stdout, &stderr); status != 0 {
			t.Fatalf("status %d: %s", status, &stderr)
		}
		var r result
		if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		for _, l := range r.Layers {
			if mode == "bf16" && l.Math == "bf16" && (l.After != l.Before/2 || !strings.Contains(l.Path, "Embeddings.")) {
				t.Errorf("found %+v", l)
			}
		}
		sizes[mode] = r.After
	}
	if sizes["bf16"] >= sizes["strict"] {
		t.Errorf("found %d bytes with bf16 tables, %d without", sizes["bf16"], sizes["strict"])
	}
	var stdout, stderr bytes.Buffer
	status := command([]string{"-model", tiny, "-out", filepath.Join(t.TempDir(), "out"), "-tables", "bf16"}, &stdout, &stderr)
	if want := "quantize: -tables: the model has no embedding table\n"; status != 1 || !strings.HasSuffix(stderr.String(), want) {
		t.Errorf("status %d: %s", status, &stderr)
	}
}

// TestFamilies converts a model of each package, and expects the same bytes from the converted folder.
func TestFamilies(t *testing.T) {
	for _, name := range []string{"bert/testdata/distilbert-ForTokenClassification", "clip/testdata/tiny", "detect/testdata/rtdetr", "mae/testdata/tiny", "vit/testdata/timm_mean", "backbone/testdata/resnet"} {
		dir := t.TempDir()
		model := filepath.Join("..", "..", "models", filepath.FromSlash(name))
		var files [][]byte
		for _, out := range []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")} {
			var stdout, stderr bytes.Buffer
			if status := command([]string{"-model", model, "-out", out}, &stdout, &stderr); status != 0 {
				t.Fatalf("%s: status %d: %s", model, status, &stderr)
			}
			for _, file := range []string{"config.json", "model.safetensors"} {
				data, err := os.ReadFile(filepath.Join(out, file))
				if err != nil {
					t.Fatal(err)
				}
				files = append(files, data)
			}
			model = out
		}
		if !bytes.Equal(files[0], files[2]) || !bytes.Equal(files[1], files[3]) || !bytes.Contains(files[1], []byte(`"dtype":"I8"`)) {
			t.Errorf("%s: the converted folder gives other files", name)
		}
	}
}

// TestConvolutions converts the file of a detector's release, which has no linear layer, and the folder that comes out.
func TestConvolutions(t *testing.T) {
	model := golden.SharedData(t, "detectors", "fastestdet", "fastestdet.pth")
	dir := t.TempDir()
	sizes := map[int64]bool{}
	for _, out := range []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")} {
		var stdout, stderr bytes.Buffer
		if status := command([]string{"-model", model, "-out", out, "-json"}, &stdout, &stderr); status != 0 {
			t.Fatalf("status %d: %s", status, &stderr)
		}
		var r result
		if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		for _, l := range r.Layers {
			if len(l.Shape) != 4 || l.Math == "bf16" && l.After != 2*int64(l.Shape[0]*l.Shape[1]*l.Shape[2]*l.Shape[3]) || l.Math == "strict" && l.After != l.Before {
				t.Errorf("found %+v", l)
			}
		}
		sizes[r.After] = true
		model = out
	}
	if len(sizes) != 1 {
		t.Errorf("the converted folder has another size: %v", sizes)
	}
}
