package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/vision"
)

const model = "../../models/clip/testdata/tiny"

// folder writes n images for each of some classes, which differ in brightness, and returns the folder.
func folder(t *testing.T, seed uint64, n int, classes ...string) string {
	t.Helper()
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(seed, 1))
	for class, name := range classes {
		if err := os.Mkdir(filepath.Join(dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
		for i := range n - class { // the first class is the largest
			m := vision.NewImage(12, 10, 3)
			for k := range m.Pix {
				m.Pix[k] = uint8(class*60 + rng.IntN(60))
			}
			if err := vision.SavePNG(filepath.Join(dir, name, fmt.Sprintf("%02d.png", i)), m); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// invoke runs the program and returns its status and output.
func invoke(args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = command(args, &out, &errs)
	return status, out.String(), errs.String()
}

func decoded(t *testing.T, text string) (r results) {
	t.Helper()
	var raw struct {
		Classification *classification
		Retrieval      *retrieval
		Skipped        []struct{ Name, Error string }
	}
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	r.Classification, r.Retrieval = raw.Classification, raw.Retrieval
	for _, s := range raw.Skipped {
		r.Skipped = append(r.Skipped, skipped{Error: s.Error})
	}
	return r
}

func TestClassification(t *testing.T) {
	dir := folder(t, 1, 12, "cat", "dark_dog", "owl")
	status, stdout, stderr := invoke("-model", model, "-data", dir, "-json", "-templates", "a {}", "-templates", "seven")
	if status != 0 {
		t.Fatal(stderr)
	}
	r := decoded(t, stdout)
	c := r.Classification
	if c == nil || r.Retrieval != nil || c.Train+c.Test != 33 || c.Templates != 8 || c.Linear < 0.9 || c.ZeroShotTop != 1 || c.LinearC <= 0 {
		t.Errorf("found %s", stdout)
	}
	if math.Abs(float64(c.Chance)-1./3) > 1e-6 || float64(c.Majority) != float64(float32(6./float64(c.Test))) {
		t.Errorf("baselines %v and %v of %d test images", c.Chance, c.Majority, c.Test)
	}
	// With test images of their own, on one thread and as text.
	status, stdout, stderr = invoke("-model", model, "-data", dir, "-test", folder(t, 2, 8, "cat", "dark_dog", "owl"), "-threads", "1")
	for _, want := range []string{"accuracy on 21 test images of 3 classes", "zero-shot, 1 template ", "linear probe, 33 training images", "guessing", " 33.3 %", "always answering cat", " 38.1 %"} {
		if status != 0 || !strings.Contains(stdout, want) {
			t.Errorf("found %s%s, expected %q", stdout, stderr, want)
		}
	}
}

func TestShots(t *testing.T) {
	dir := folder(t, 1, 24, "cat", "dog", "owl")
	status, stdout, stderr := invoke("-model", model, "-data", dir, "-json", "-shots", "5")
	if status != 0 {
		t.Fatal(stderr)
	}
	if c := decoded(t, stdout).Classification; c == nil || c.Train != 15 || c.Test < 30 || c.TipAdapter == nil || *c.TipAdapter <= c.ZeroShot || c.Linear < 0.8 {
		t.Errorf("found %s", stdout)
	}
	status, stdout, _ = invoke("-model", model, "-data", dir, "-shots", "100")
	if status != 0 || !strings.Contains(stdout, "Tip-Adapter, keys trained") || !strings.Contains(stdout, "linear probe, 34 training images") {
		t.Errorf("found %d %s", status, stdout)
	}
}

func TestRetrieval(t *testing.T) {
	dir := folder(t, 1, 12, "cat")
	var table strings.Builder
	table.WriteString("filepath\ttitle\n")
	var shard bytes.Buffer
	w := tar.NewWriter(&shard)
	for i := range 12 {
		fmt.Fprintf(&table, "cat/%02d.png\tcaption %d\n", i, i)
		if i == 3 {
			fmt.Fprintf(&table, "cat/%02d.png\tanother, of the same\n", i)
		}
		data, err := os.ReadFile(filepath.Join(dir, "cat", fmt.Sprintf("%02d.png", i)))
		if err != nil {
			t.Fatal(err)
		}
		for name, body := range map[string][]byte{"png": data, "txt": fmt.Appendf(nil, "caption %d", i)} {
			if i == 5 && name == "txt" {
				continue
			}
			w.WriteHeader(&tar.Header{Name: fmt.Sprintf("%d.%s", i, name), Size: int64(len(body)), Mode: 0o644})
			w.Write(body)
		}
	}
	w.Close()
	for name, body := range map[string][]byte{"pairs.csv": []byte(table.String()), "broken.csv": []byte(table.String() + "none.png\tmissing\ncat/00.png\t\n"), "0.tar": shard.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		captions       string
		images, texts  int
		skipped        int
		stderr, chance string
	}{
		{"pairs.csv", 12, 13, 0, "", ""},
		{"broken.csv", 12, 13, 1, "", ""},
		{"{0..0}.tar", 11, 11, 0, "skipped 1 unusable pairs of the shards, the first: vision: 0.tar/5: an image: no caption", ""},
	} {
		status, stdout, stderr := invoke("-model", model, "-captions", filepath.Join(dir, c.captions), "-json", "-skip-broken")
		if status != 0 || !strings.Contains(stderr, c.stderr) {
			t.Fatal(c.captions, status, stderr)
		}
		r := decoded(t, stdout)
		if v := r.Retrieval; v == nil || r.Classification != nil || v.Images != c.images || v.Texts != c.texts || len(r.Skipped) != c.skipped ||
			v.ToImage["1"] > v.ToImage["5"] || v.ToImage["10"] < 10./12 || math.Abs(float64(v.ChanceImages["5"])-5/float64(c.images)) > 1e-6 {
			t.Errorf("%s: found %s", c.captions, stdout)
		}
	}
	status, _, stderr := invoke("-model", model, "-captions", filepath.Join(dir, "broken.csv"))
	if want := "use -skip-broken"; status != 1 || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
		t.Errorf("found %d %q, expected %q", status, stderr, want)
	}
	status, stdout, _ := invoke("-model", model, "-captions", filepath.Join(dir, "pairs.csv"))
	if status != 0 || !strings.Contains(stdout, "retrieval among 12 images and 13 captions") || strings.Count(stdout, "\n") != 7 {
		t.Errorf("found %d %s", status, stdout)
	}
}

// TestChance compares the recall by chance with draws.
func TestChance(t *testing.T) {
	relevant := [][]int{{0}, {1, 2, 3}, {4, 5}}
	rng := rand.New(rand.NewPCG(1, 2))
	const draws = 20000
	for _, k := range []int{1, 4, 9, 10} {
		found := 0.0
		for range draws {
			order := rng.Perm(9)
			for _, list := range relevant {
				for _, item := range list {
					if order[item] < k {
						found++
						break
					}
				}
			}
		}
		if got, want := chance(relevant, 9, k), found/draws/3; math.Abs(got-want) > 0.01 {
			t.Errorf("k = %d: found %v, expected about %v", k, got, want)
		}
	}
}

func TestMistakes(t *testing.T) {
	dir := folder(t, 1, 5, "cat", "dog")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no model":      {[]string{"-data", dir}, "eval: -model: expected a folder with CLIP or a classifier; -h lists the flags\n"},
		"nothing":       {[]string{"-model", model}, "eval: expected -data or -captions; -h lists the flags\n"},
		"test alone":    {[]string{"-model", model, "-captions", "x.csv", "-test", dir}, "eval: -test needs -data, the training images of the linear probe\n"},
		"shots":         {[]string{"-model", model, "-captions", "x.csv", "-shots", "1"}, "eval: -shots needs -data, the training images\n"},
		"template":      {[]string{"-model", model, "-data", dir, "-templates", "a photo"}, `eval: invalid value "a photo" for flag -templates: expected seven, imagenet, or a text with {} for the class; -h lists the flags` + "\n"},
		"argument":      {[]string{"-model", model, "-data", dir, "more"}, "eval: expected flags only, found \"more\"\n"},
		"other classes": {[]string{"-model", model, "-data", dir, "-test", folder(t, 1, 5, "cat", "owl")}, `eval: -test: expected the classes of -data, ["cat" "dog"], found ["cat" "owl"]` + "\n"},
		"no table":      {[]string{"-model", model, "-captions", filepath.Join(dir, "none.csv")}, "eval: vision: table none.csv: stat: no such file or directory\n"},
	} {
		status, stdout, stderr := invoke(c.args...)
		if status != 1 || stderr != c.want || stdout != "" {
			t.Errorf("%s: found %d %q %q, expected %q", name, status, stdout, stderr, c.want)
		}
	}
	if status, stdout, _ := invoke("-h"); status != 0 || !strings.Contains(stdout, "-captions table") {
		t.Errorf("-h: %d %s", status, stdout)
	}
}
