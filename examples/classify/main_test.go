package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/hubtest"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models/vit"
)

// TestReference classifies the stored images with the stored models. It compares the logits with those that
// transformers and timm computed from the same files.
func TestReference(t *testing.T) { compare(t, "testdata") }

// TestLibraries does the same with models and images that the Python libraries make during the test.
func TestLibraries(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "classify.py", dir, golden.SharedData(t, "images"))
	compare(t, dir)
}

func compare(t *testing.T, dir string) {
	var want map[string]map[string][]float32
	data, err := os.ReadFile(filepath.Join(dir, "want.json"))
	if err == nil {
		err = json.Unmarshal(data, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	for model, logits := range want {
		for _, from := range []string{"images", "shared"} {
			t.Run(model+"/"+from, func(t *testing.T) {
				at := filepath.Join(dir, "images")
				if from == "shared" {
					at = golden.SharedData(t, "images")
				}
				args := []string{"-json", "-model", filepath.Join(dir, "models", model)}
				var names []string
				for _, name := range slices.Sorted(maps.Keys(logits)) {
					if folder, file, _ := strings.Cut(name, "/"); folder == from {
						names = append(names, name)
						args = append(args, filepath.Join(at, file))
					}
				}
				results := classified(t, args...)
				if len(results) != len(names) {
					t.Fatalf("%d results for %d images", len(results), len(names))
				}
				for i, r := range results {
					if r.Image != args[3+i] {
						t.Errorf("expected %s, found %s", args[3+i], r.Image)
					}
					golden.Output(t, names[i], r.Logits, logits[names[i]])
					best, sum := 0, float32(0)
					for k, v := range r.Logits {
						if v > r.Logits[best] {
							best = k
						}
					}
					for _, c := range r.Top {
						sum += c.P
					}
					labels := []string{"cat", "dog", "owl", "hen", "fox", "bee", "eel"}
					if len(r.Top) != 5 || r.Top[0].Index != best || r.Top[0].Label != labels[best] || !(sum > 0.5 && sum <= 1.0001) {
						t.Errorf("%s: best is %d, found %+v", names[i], best, r.Top)
					}
				}
			})
		}
	}
}

// parsed is a result as other programs read it.
type parsed struct {
	Image  string
	Logits []float32
	Top    []struct {
		Label string
		Index int
		P     float32
	}
}

func classified(t *testing.T, args ...string) []parsed {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := command(args, nil, &stdout, &stderr); status != 0 {
		t.Fatalf("%q: status %d: %s", args, status, &stderr)
	}
	for line := range strings.Lines(stderr.String()) {
		if !strings.HasPrefix(line, "classifying: ") { // progress, on a slow machine
			t.Errorf("%q: %s", args, line)
		}
	}
	var results []parsed
	if err := json.Unmarshal(stdout.Bytes(), &results); err != nil {
		t.Fatalf("%v: %s", err, &stdout)
	}
	return results
}

// TestShape checks the JSON keys that scripts rely on.
func TestShape(t *testing.T) {
	var stdout, stderr bytes.Buffer
	command([]string{"-model", "testdata/models/hf", "-top", "1", "-json", "testdata/images/rgb.png"}, nil, &stdout, &stderr)
	var results []map[string]json.RawMessage
	if err := json.Unmarshal(stdout.Bytes(), &results); err != nil {
		t.Fatal(err, &stderr)
	}
	if got := slices.Sorted(maps.Keys(results[0])); !slices.Equal(got, []string{"image", "logits", "top"}) {
		t.Errorf("found the keys %q", got)
	}
	if top := string(results[0]["top"]); !strings.HasPrefix(top, `[{"label":"bee","index":5,"p":0.`) {
		t.Errorf("found %s", top)
	}
}

// TestThreads checks that the logits depend neither on the number of cores nor on the other images of a pass.
func TestThreads(t *testing.T) {
	names := slices.Repeat([]string{"testdata/images/rgb.png", "testdata/images/gray.png", "testdata/images/turned.png"}, 7)
	all := classified(t, append([]string{"-model", "testdata/models/timm", "-json", "-threads", "2"}, names...)...)
	for i, name := range names[:3] {
		one := classified(t, "-model", "testdata/models/timm", "-json", "-threads", "1", name)
		if !slices.Equal(all[i].Logits, one[0].Logits) || !slices.Equal(all[18+i].Logits, one[0].Logits) {
			t.Errorf("%s: the logits depend on the other images of the pass", name)
		}
	}
}

// TestFile gives the program a file of weights instead of a folder.
func TestFile(t *testing.T) {
	weights, err := os.ReadFile("../../models/vit/testdata/timm_class/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"a.safetensors", "b.safetensors"} {
		if err := os.WriteFile(filepath.Join(dir, name), weights, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	if status := command([]string{"-model", filepath.Join(dir, "a.safetensors"), "-json", "testdata/images/rgb.png"}, nil, &stdout, &stderr); status != 0 {
		t.Fatal(&stderr)
	}
	if !strings.Contains(stderr.String(), "no preprocessor_config.json") {
		t.Errorf("the assumed mean and deviation are not printed: %q", &stderr)
	}
	var r []parsed
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if len(r) != 1 || len(r[0].Logits) != 5 || r[0].Top[0].Label != "LABEL_4" {
		t.Errorf("found %+v", r)
	}
	fails(t, "a.safetensors, b.safetensors", "-model", dir, "testdata/images/rgb.png")
}

// TestHub classifies with a model on the hub: downloaded at first, later from the cache.
func TestHub(t *testing.T) {
	h := hubtest.New()
	defer h.Close()
	files := map[string][]byte{}
	for _, name := range []string{"config.json", "preprocessor_config.json", "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join("testdata/models/hf", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
	}
	h.Add("somebody/animals", files)
	h.Use(t)
	const file = "testdata/images/rgb.png"
	want := classified(t, "-model", "testdata/models/hf", "-json", file)
	if got := classified(t, "-model", "somebody/animals", "-json", file); !slices.Equal(got[0].Logits, want[0].Logits) {
		t.Errorf("found %v, expected %v", got[0].Logits, want[0].Logits)
	}
	fails(t, "somebody/plants", "-model", "somebody/plants", file)
	t.Setenv("HF_HUB_OFFLINE", "1")
	classified(t, "-model", "somebody/animals", "-json", file)
}

// TestText checks the output without -json, and the bars of a terminal.
func TestText(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if status := command([]string{"-model", "testdata/models/hf", "-top", "2", "testdata/images/rgb.png", "testdata/images/small.png"}, nil, &stdout, &stderr); status != 0 {
		t.Fatal(&stderr)
	}
	lines := strings.Split(stdout.String(), "\n")
	if len(lines) != 8 || lines[0] != "testdata/images/rgb.png" || !strings.HasSuffix(lines[1], " %  bee") || lines[3] != "" || lines[4] != "testdata/images/small.png" {
		t.Errorf("found %q", lines)
	}
	for share, want := range map[float32]string{0: "", 1: strings.Repeat("█", width), 0.5: strings.Repeat("█", width/2), 1. / 96: "▎"} {
		got := bar(share)
		if n := len([]rune(got)); strings.TrimRight(got, " ") != want || n != width {
			t.Errorf("%v: found %q of %d characters", share, got, n)
		}
	}
	if got := console.Printable("a\x1b[31mb\n"); got != "a\uFFFD[31mb\uFFFD" {
		t.Errorf("found %q", got)
	}
}

// TestProblems prints the scores of models whose classes do not exclude each other, and the values of a regression.
func TestProblems(t *testing.T) {
	const cases = "../../models/vit/testdata/cases/"
	regression := t.TempDir()
	if err := os.CopyFS(regression, os.DirFS(cases+"onelogit")); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(cases + "onelogit/config.json")
	if err == nil {
		config = bytes.Replace(config, []byte(`"qkv_bias"`), []byte(`"problem_type": "regression", "qkv_bias"`), 1)
		err = os.WriteFile(filepath.Join(regression, "config.json"), config, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	for model, want := range map[string]string{
		cases + "multi":       " (each class by itself)\n   87.7 %  LABEL_0\n   67.6 %  LABEL_3\n",
		cases + "onelogit":    "p.png\n   76.4 %  LABEL_0\n",
		cases + "one_channel": "LABEL_2\n",
		regression:            " (values, not probabilities)\n     1.173  LABEL_0\n",
	} {
		var stdout, stderr bytes.Buffer
		if status := command([]string{"-model", model, "-top", "2", cases + "p.png"}, nil, &stdout, &stderr); status != 0 || !strings.Contains(stdout.String(), want) {
			t.Errorf("%s: found %q %q", model, &stdout, &stderr)
		}
	}
}

// TestBroken checks that unreadable files are named and skipped, and that the exit status is 1.
func TestBroken(t *testing.T) {
	dir := t.TempDir()
	write := func(name, data string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(data), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	whole, err := os.ReadFile("testdata/images/rgb.png")
	if err != nil {
		t.Fatal(err)
	}
	cut := write("cut.png", string(whole[:len(whole)/2]))
	text := write("text.jpg", "not an image")
	missing := filepath.Join(dir, "missing.png")
	var stdout, stderr bytes.Buffer
	status := command([]string{"-model", "testdata/models/hf", "-json", cut, "testdata/images/rgb.png", text, missing, dir}, nil, &stdout, &stderr)
	if status != 1 {
		t.Errorf("status %d, expected 1", status)
	}
	var results []parsed
	if err := json.Unmarshal(stdout.Bytes(), &results); err != nil || len(results) != 1 || results[0].Image != "testdata/images/rgb.png" {
		t.Errorf("%v: %s", err, &stdout)
	}
	lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	if len(lines) != 6 || lines[5] != "classify: 5 of 6 images could not be read" { // the folder holds cut.png and text.jpg
		t.Fatalf("found %q", lines)
	}
	for i, name := range []string{cut, text, missing, cut, text} {
		if !strings.HasPrefix(lines[i], "classify: ") || !strings.Contains(lines[i], name) {
			t.Errorf("expected a line about %s, found %q", name, lines[i])
		}
	}
}

// TestFails expects one error line and status 1.
func TestFails(t *testing.T) {
	const file = "testdata/images/rgb.png"
	fails(t, "-model", file)
	fails(t, "no-such-folder", "-model", "no-such-folder", file)
	fails(t, "expected image files", "-model", "testdata/models/hf")
	fails(t, "-top", "-model", "testdata/models/hf", "-top", "0", file)
	fails(t, "-threads", "-model", "testdata/models/hf", "-threads", "-1", file)
	fails(t, "vit_mae", "-model", "../../models/mae/testdata/tiny", file)
	c := vit.Tiny16()
	c.NumHiddenLayers, c.ImageSize = 1, 32
	headless := t.TempDir()
	if err := vit.New(c, 0, nil).Save(headless, vit.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	fails(t, "no classifier", "-model", headless, file)
	c.NumChannels = 4
	wide := t.TempDir()
	if err := vit.New(c, 2, nil).Save(wide, vit.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	fails(t, "channels", "-model", wide, file)
	fails(t, "nonsense", "-nonsense")
	with := func(args ...string) []string { return append([]string{"-model", "testdata/models/hf"}, args...) }
	fails(t, "found both", with("-json", "-csv", file)...)
	fails(t, "-rollout: expected -attention", with("-rollout", file)...)
	fails(t, "-layer: expected -pca, or -attention", with("-layer", "1", file)...)
	fails(t, "-layer: expected -pca, or -attention", with("-attention", "x", "-rollout", "-layer", "1", file)...)
	fails(t, "-head: expected -attention", with("-head", "1", file)...)
	fails(t, "-head: expected -attention", with("-pca", "x", "-head", "1", file)...)
	fails(t, "-head: expected -attention", with("-attention", "x", "-rollout", "-head", "1", file)...)
	fails(t, "found the same", with("-attention", "x", "-pca", "x", file)...)
	fails(t, "expected - once", with("-list", "-", "-")...)
	fails(t, "expected - once", with("-", "-")...)
	fails(t, "-list: ", with("-list", "no-such-file")...)
	fails(t, "no files named", with(t.TempDir())...)
	fails(t, "-neighbors: ", with("-neighbors", "no-such-folder", file)...)
	fails(t, "-attention: vit: attention: layer 9: expected -", with("-attention", t.TempDir(), "-layer", "9", file)...)
	fails(t, "-attention: head 4: expected -1 to ", with("-attention", t.TempDir(), "-head", "4", file)...)
	fails(t, "-pca: vit: features: layer 9", with("-pca", t.TempDir(), "-layer", "9", file)...)
	fails(t, "could be replaced", with("-attention", "testdata/images", file)...)
}

func fails(t *testing.T, want string, args ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := command(args, nil, &stdout, &stderr)
	line := stderr.String()
	if status != 1 || stdout.Len() > 0 || !strings.HasPrefix(line, "classify: ") || strings.Count(line, "\n") != 1 || !strings.Contains(line, want) {
		t.Errorf("%q: status %d, expected one line with %q, found %q and %q", args, status, want, line, &stdout)
	}
}
