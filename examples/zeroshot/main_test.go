package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/vision"
)

const model = "../../models/clip/testdata/tiny"

// photograph writes a small image and returns its name.
func photograph(t *testing.T) string {
	t.Helper()
	img := vision.NewImage(30, 40, 3)
	for i := range img.Pix {
		img.Pix[i] = uint8(i * i % 251)
	}
	name := filepath.Join(t.TempDir(), "photograph.png")
	if err := vision.SavePNG(name, img); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestShape checks the JSON keys and the shapes that scripts rely on.
func TestShape(t *testing.T) {
	name := photograph(t)
	var stdout, stderr bytes.Buffer
	if status := command([]string{"-model", model, "-json", "-image", name, "-image", name, "a cat", "a dog", "a bird"}, &stdout, &stderr); status != 0 {
		t.Fatal(status, &stderr)
	}
	var out map[string][][]float64
	if err := json.Unmarshal(stdout.Bytes(), &out); err != nil {
		t.Fatal(err, &stdout)
	}
	if keys := slices.Sorted(maps.Keys(out)); !slices.Equal(keys, []string{"image_embeds", "logits_per_image", "probs", "text_embeds"}) {
		t.Errorf("found the keys %q", keys)
	}
	for key, want := range map[string][2]int{"image_embeds": {2, 10}, "text_embeds": {3, 10}, "logits_per_image": {2, 3}, "probs": {2, 3}} {
		if rows := out[key]; len(rows) != want[0] || len(rows[0]) != want[1] {
			t.Errorf("%s: expected the shape %d, found %v", key, want, rows)
		}
	}
	sum := 0.0
	for _, p := range out["probs"][0] {
		sum += p
	}
	if math.Abs(sum-1) > 1e-5 {
		t.Errorf("the probabilities add up to %v", sum)
	}
	stdout.Reset()
	if status := command([]string{"-model", model, "-image", name, "a cat", "a dog"}, &stdout, &stderr); status != 0 || strings.Count(stdout.String(), "\n") != 3 {
		t.Errorf("status %d: %s%s", status, &stdout, &stderr)
	}
}

// TestMistakes expects status 1 and one line that names the mistake.
func TestMistakes(t *testing.T) {
	name := photograph(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "-model"},
		{[]string{"-model", model}, "-image"},
		{[]string{"-model", model, "-image", name}, "expected texts"},
		{[]string{"-model", model, "-image", "nothing.png", "a"}, "nothing.png"},
		{[]string{"-model", model, "-image", "doc.go", "a"}, "doc.go"},
		{[]string{"-model", t.TempDir(), "-image", name, "a"}, "-model"},
		{[]string{"-model", "../../models/vit/testdata/tiny", "-image", name, "a"}, "package models/vit loads"},
		{[]string{"-model", model, "-threads", "-1", "-image", name, "a"}, "-threads"},
	} {
		var stdout, stderr bytes.Buffer
		status := command(c.args, &stdout, &stderr)
		if status != 1 || !strings.Contains(stderr.String(), c.want) || strings.Count(stderr.String(), "\n") != 1 || stdout.Len() > 0 {
			t.Errorf("%q: status %d: %s%s", c.args, status, &stdout, &stderr)
		}
	}
}

// TestTransformers compares the JSON with what transformers computes of the same files.
func TestTransformers(t *testing.T) {
	folder := golden.SharedData(t, "images")
	files := []string{"chelsea.png", "rocket.png", "china.jpg"}
	texts := []string{"a photo of a cat", "a photo of the rocket, 12 o'clock"}
	args := []string{"-model", model, "-json"}
	var names []string
	for _, name := range files {
		path := filepath.Join(folder, name)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		names = append(names, path)
		args = append(args, "-image", path)
	}
	script := append([]string{model}, names...)
	var want answerFloats
	if err := json.Unmarshal(modeltest.Python(t, "check_zeroshot.py", append(append(script, "--"), texts...)...), &want); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if status := command(append(args, texts...), &stdout, &stderr); status != 0 {
		t.Fatal(status, &stderr)
	}
	var got answerFloats
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		got, want [][]float32
		tolerance float64
	}{
		// A level of a JPEG's pixels changes the embeddings of its image.
		{"image_embeds", got.Images, want.Images, 1e-3}, {"text_embeds", got.Texts, want.Texts, 1e-4},
		{"logits_per_image", got.Logits, want.Logits, 1e-2}, {"probs", got.Probs, want.Probs, 1e-2},
	} {
		golden.Within(t, c.name, slices.Concat(c.got...), slices.Concat(c.want...), c.tolerance)
	}
}

type answerFloats struct {
	Logits [][]float32 `json:"logits_per_image"`
	Probs  [][]float32 `json:"probs"`
	Images [][]float32 `json:"image_embeds"`
	Texts  [][]float32 `json:"text_embeds"`
}
