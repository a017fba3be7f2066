package main

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/detect"
	"github.com/fovea-ml/fovea/vision"
)

// parsed is a result as other programs read it.
type parsed struct {
	Image      string
	Detections []struct {
		Box       []float64
		Label     string
		Score     float64
		Landmarks [][]float64
	}
}

func detected(t *testing.T, args ...string) []parsed {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := command(append([]string{"-json"}, args...), nil, &stdout, &stderr); status != 0 {
		t.Fatalf("%q: status %d: %s", args, status, &stderr)
	}
	var results []parsed
	if err := json.Unmarshal(stdout.Bytes(), &results); err != nil {
		t.Fatalf("%v: %s", err, &stdout)
	}
	return results
}

// TestTrained searches the photographs of FastestDet's repository, and expects the detections of its script.
func TestTrained(t *testing.T) {
	dir := golden.SharedData(t, "detectors", "fastestdet")
	weights := filepath.Join(dir, "fastestdet.pth")
	var want struct {
		Images []map[string]json.RawMessage
	}
	data, err := os.ReadFile("../../models/detect/testdata/fastest.json")
	if err == nil {
		err = json.Unmarshal(data, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	drawn := filepath.Join(t.TempDir(), "new", "folder")
	results := detected(t, "-model", "fastestdet", "-weights", weights, "-threads", "1", "-draw", drawn, dir) // three images
	if len(results) != 3 {
		t.Fatalf("found %d results", len(results))
	}
	for i, r := range results {
		var theirs [][]float64
		if err := json.Unmarshal(want.Images[i]["0.65"], &theirs); err != nil {
			t.Fatal(err)
		}
		if len(r.Detections) != len(theirs) {
			t.Fatalf("%s: found %+v, expected %v", r.Image, r.Detections, theirs)
		}
		for k, d := range r.Detections {
			for side, v := range d.Box {
				if math.Abs(v-theirs[k][side]*[]float64{640, 480}[side%2]) > 1e-2 {
					t.Errorf("%s: found the box %v, expected %v", r.Image, d.Box, theirs[k])
				}
			}
			label := map[float64]string{0: "person", 5: "bus", 34: "baseball bat"}[theirs[k][5]]
			if math.Abs(d.Score-theirs[k][4]) > 1e-4 || d.Label != label || d.Landmarks == nil || len(d.Landmarks) != 0 {
				t.Errorf("%s: found %+v, expected %v", r.Image, d, theirs[k])
			}
		}
		plain, err := vision.DecodeFile(os.DirFS(dir), filepath.Base(r.Image), vision.DecodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		out, err := vision.DecodeFile(os.DirFS(drawn), strings.TrimSuffix(filepath.Base(r.Image), ".jpg")+".png", vision.DecodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if out.Width != plain.Width || out.Height != plain.Height || bytes.Equal(out.Pix, plain.Pix) {
			t.Errorf("%s: nothing is drawn", r.Image)
		}
	}
	few := detected(t, "-weights", weights, "-min-score", "0.25", "-most", "3", results[0].Image)
	all := detected(t, "-weights", weights, "-min-score", "0.25", results[0].Image)
	merged := detected(t, "-weights", weights, "-min-score", "0.25", "-max-overlap", "0.05", results[0].Image)
	if len(few[0].Detections) != 3 || len(all[0].Detections) != 17 || len(merged[0].Detections) >= 17 {
		t.Errorf("found %d, %d and %d detections", len(few[0].Detections), len(all[0].Detections), len(merged[0].Detections))
	}
	var stdout, stderr bytes.Buffer
	if status := command([]string{"-weights", weights, results[1].Image}, nil, &stdout, &stderr); status != 0 || !strings.HasSuffix(stdout.String(), "  0.96  bus  from (47, 82) to (582, 417)\n") {
		t.Errorf("status %d: found %q, %s", status, &stdout, &stderr)
	}
}

// saved returns a folder with a small detector, and an image.
func saved(t *testing.T) (model, picture string) {
	t.Helper()
	dir := t.TempDir()
	model, picture = filepath.Join(dir, "model"), filepath.Join(dir, "a.png")
	if err := detect.New(detect.Config{ModelType: "fastestdet", ImageSize: 32}, 2, nil).Save(model, detect.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := vision.SavePNG(picture, vision.NewImage(20, 30, 3)); err != nil {
		t.Fatal(err)
	}
	return model, picture
}

// TestBroken names and skips unreadable files, and ends with the status 1.
func TestBroken(t *testing.T) {
	model, picture := saved(t)
	text := filepath.Join(t.TempDir(), "text.jpg")
	if err := os.WriteFile(text, []byte("not an image"), 0o666); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	status := command([]string{"-weights", model, "-json", text, picture, "missing.png"}, nil, &stdout, &stderr)
	var results []parsed
	if err := json.Unmarshal(stdout.Bytes(), &results); err != nil || status != 1 || len(results) != 1 || results[0].Image != picture || results[0].Detections == nil {
		t.Errorf("status %d, %v: %s", status, err, &stdout)
	}
	lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], text) || !strings.Contains(lines[1], "missing.png") || lines[2] != "detect: 2 of 3 images could not be read" {
		t.Errorf("found %q", lines)
	}
}

// TestScales searches with a CenterNet in several ways, and refuses them for another detector.
func TestScales(t *testing.T) {
	model, picture := saved(t)
	other := filepath.Join(t.TempDir(), "center")
	body := backbone.ResNet18()
	body.EmbeddingSize, body.HiddenSizes, body.Depths = 8, []int{8, 8, 8, 8}, []int{1, 1, 1, 1}
	c := detect.CenterNetResNet18()
	c.Backbone, c.UpSizes, c.HeadSize, c.ImageSize = &body, []int{4, 4, 4}, 4, 64
	if err := detect.New(c, 2, rand.New(rand.NewPCG(1, 2))).Save(other, detect.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	counts := map[int]bool{}
	for _, args := range [][]string{nil, {"-keep-size"}, {"-keep-size", "-flip", "-scales", "0.5,1,2"}} {
		found := detected(t, append(args, "-model", "centernet", "-min-score", "0.01", "-weights", other, picture)...)
		counts[len(found[0].Detections)] = true
	}
	if len(counts) < 2 || counts[0] {
		t.Errorf("found %v detections", counts)
	}
	for want, args := range map[string][]string{
		"expected centernet":        {"-flip", "-weights", model, picture},
		`-scales: expected numbers`: {"-scales", "1,0", "-weights", other, picture},
	} {
		var stdout, stderr bytes.Buffer
		if status := command(args, nil, &stdout, &stderr); status == 0 || !strings.Contains(stderr.String(), want) {
			t.Errorf("%q: status %d, %s", args, status, &stderr)
		}
	}
}

// TestTransformers searches with folders as transformers has them.
func TestTransformers(t *testing.T) {
	_, picture := saved(t)
	c := detect.YOLOSTiny()
	c.YOLOS.NumHiddenLayers, c.YOLOS.NumDetectionTokens = 1, 7
	c.YOLOS.SetSize(32, 48)
	m := detect.New(c, 2, rand.New(rand.NewPCG(1, 2)))
	if err := m.SetLabels([]string{"cat", "dog"}); err != nil {
		t.Fatal(err)
	}
	d := m.Network.(*detect.YOLOS)
	d.Preprocess.Width, d.Preprocess.MaxLong = 32, 64
	folder := filepath.Join(t.TempDir(), "yolos")
	if err := m.Save(folder, detect.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	found := detected(t, "-model", "yolos", "-min-score", "0.01", "-most", "5", "-weights", folder, picture)
	if n := len(found[0].Detections); n != 5 || found[0].Detections[0].Label != "cat" && found[0].Detections[0].Label != "dog" {
		t.Errorf("found %+v", found[0])
	}
}

// TestSameName draws images of the same name.
func TestSameName(t *testing.T) {
	model, picture := saved(t)
	drawn := t.TempDir()
	detected(t, "-weights", model, "-draw", drawn, picture, picture)
	files, err := os.ReadDir(drawn)
	if err != nil || len(files) != 2 || files[0].Name() != "a-2.png" || files[1].Name() != "a.png" {
		t.Errorf("found %v, %v", files, err)
	}
}

// TestKeepsOriginals refuses to draw into the folder of an image, which would replace it.
func TestKeepsOriginals(t *testing.T) {
	model, picture := saved(t)
	before, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	photos := filepath.Dir(picture)
	for _, what := range []string{picture, photos} {
		var stdout, stderr bytes.Buffer
		if status := command([]string{"-weights", model, "-draw", photos, what}, nil, &stdout, &stderr); status != 1 || !strings.HasPrefix(stderr.String(), "detect: -draw: ") || !strings.Contains(stderr.String(), "could be replaced") {
			t.Errorf("%s: status %d, found %q", what, status, &stderr)
		}
	}
	if after, err := os.ReadFile(picture); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the image was replaced, %v", err)
	}
}

// TestHelp states the default of -most, which depends on the detector.
func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if status := command([]string{"-h"}, nil, &stdout, &stderr); status != 0 || !strings.Contains(stdout.String(), "at most N objects of an image (default: the detector's own") {
		t.Errorf("status %d: found\n%s%s", status, &stdout, &stderr)
	}
}

// TestFails expects one error line and status 1.
func TestFails(t *testing.T) {
	model, picture := saved(t)
	for want, args := range map[string][]string{
		"-weights: expected a detector":       {picture},
		"expected image files":                {"-weights", model},
		"-min-score: expected 0 to 1":         {"-weights", model, "-min-score", "2", picture},
		"-max-overlap: expected 0 to 1":       {"-weights", model, "-max-overlap", "-0.5", picture},
		"-most: expected at least 0":          {"-weights", model, "-most", "-1", picture},
		"-threads":                            {"-weights", model, "-threads", "-1", picture},
		"expected yolo":                       {"-weights", model, "-model", "yolo", picture},
		"no-such-file":                        {"-weights", "no-such-file", picture},
		"no files named":                      {"-weights", model, t.TempDir()},
		"-weights: detect: ../classify":       {"-weights", "../classify/testdata/models/timm/model.safetensors", picture},
		"-track: expected -frames":            {"-weights", model, "-track", picture},
		"-frames: expected no image":          {"-weights", model, "-frames", "mjpeg", picture},
		`-frames: expected mjpeg`:             {"-weights", model, "-frames", "0x480"},
		"flag provided but not defined: -bad": {"-bad"},
	} {
		var stdout, stderr bytes.Buffer
		status := command(args, nil, &stdout, &stderr)
		line := stderr.String()
		if status != 1 || stdout.Len() > 0 || !strings.HasPrefix(line, "detect: ") || strings.Count(line, "\n") != 1 || !strings.Contains(line, want) {
			t.Errorf("%q: status %d, expected one line with %q, found %q and %q", args, status, want, line, &stdout)
		}
	}
}

// TestRTDETR searches with a folder of transformers.
func TestRTDETR(t *testing.T) {
	_, picture := saved(t)
	folder := "../../models/detect/testdata/rtdetr"
	found := detected(t, "-model", "rt_detr_v2", "-min-score", "0.01", "-most", "3", "-weights", folder, picture)
	if len(found) != 1 || len(found[0].Detections) != 3 || !strings.HasPrefix(found[0].Detections[0].Label, "LABEL_") {
		t.Errorf("found %+v", found)
	}
}
