package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/vision"
)

const classifier = "../../models/vit/testdata/tiny"

// TestClassifier compares the accuracy with the answers of Classify, image by image.
func TestClassifier(t *testing.T) {
	dir := folder(t, 3, 12, "LABEL_0", "label 3", "owls")
	if err := os.WriteFile(filepath.Join(dir, "owls", "broken.png"), []byte("no image"), 0o666); err != nil {
		t.Fatal(err)
	}
	names := filepath.Join(t.TempDir(), "names.csv")
	if err := os.WriteFile(names, []byte("owls, 4\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	args := []string{"-model", classifier, "-data", dir, "-map", names}
	if status, _, stderr := invoke(args...); status != 1 || !strings.Contains(stderr, "use -skip-broken") {
		t.Errorf("a broken image: status %d, %s", status, stderr)
	}
	args = append(args, "-skip-broken")
	status, stdout, stderr := invoke(append(args, "-json")...)
	if status != 0 {
		t.Fatal(stderr)
	}
	var r struct {
		Classifier struct {
			Images, Labels int
			Top1, Top5     float32
			Interval       []float64 `json:"top1_interval"`
			Classes        []struct {
				Folder, Label string
				Index, Images int
				Top1          float32
			}
			Published *published
		}
		Classification *classification
		Skipped        []struct{ Error string }
	}
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	m, err := vit.Open(classifier, vit.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	first, all := 0, 0
	for i, class := range []int{0, 3, 4} {
		c, right := r.Classifier.Classes[i], 0
		files, _ := filepath.Glob(filepath.Join(dir, c.Folder, "[0-9]*.png"))
		for _, name := range files {
			img, err := vision.DecodeFile(os.DirFS(filepath.Dir(name)), filepath.Base(name), vision.DecodeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			p, err := m.Classify(t.Context(), img)
			if err != nil {
				t.Fatal(err)
			}
			if p[0].Top[0].Index == class {
				right++
			}
		}
		if c.Index != class || c.Label != fmt.Sprint("LABEL_", class) || c.Images != len(files) || c.Top1 != float32(right)/float32(len(files)) {
			t.Errorf("found %+v, expected class %d, %d of %d right", c, class, right, len(files))
		}
		first, all = first+right, all+len(files)
	}
	c := r.Classifier
	if c.Images != all || c.Labels != 5 || c.Top1 != float32(first)/float32(all) || c.Top5 != 1 || c.Interval[0] > float64(c.Top1) || c.Interval[1] < float64(c.Top1) ||
		c.Published != nil || r.Classification != nil || len(r.Skipped) != 1 || first == 0 || first == all {
		t.Errorf("found %s, expected %d of %d right", stdout, first, all)
	}
	_, stdout, _ = invoke(args...)
	for _, want := range []string{"images of 3 classes, among the model's 5", "top-1", "top-5", "images a second", "LABEL_3", "skipped 1"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("expected %q, printed\n%s", want, stdout)
		}
	}
}

func TestClassifierMistakes(t *testing.T) {
	dir := folder(t, 3, 4, "cat", "LABEL_1")
	write := func(content string) string {
		name := filepath.Join(t.TempDir(), "names.csv")
		if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, `1 folder names no class of the model: "cat"; name their classes with -map FILE`},
		{[]string{"-map", write("cat,LABEL_7\n")}, "names no class"},
		{[]string{"-map", write("dog,LABEL_2\n")}, `there is no folder "dog" in -data`},
		{[]string{"-map", write("cat,0\ncat,1\n")}, `the folder "cat" stands there twice`},
		{[]string{"-map", write("cat\n")}, "expected lines of a folder, a comma and a class"},
		{[]string{"-map", "nothing.csv"}, "nothing.csv"},
		{[]string{"-shots", "2"}, "are for CLIP"},
		{[]string{"-model", model, "-map", write("cat,0\n")}, "-map is for classifiers"},
		{[]string{"-model", "../../models/mae/testdata/tiny"}, "neither CLIP nor a classifier"},
	} {
		status, _, stderr := invoke(append([]string{"-model", classifier, "-data", dir}, c.args...)...)
		lines := strings.Split(strings.TrimSpace(stderr), "\n") // the first may say that preprocessing is assumed
		if status != 1 || !strings.Contains(lines[len(lines)-1], c.want) {
			t.Errorf("%q: status %d, %q, expected %q", c.args, status, stderr, c.want)
		}
	}
}

// TestMatchClasses finds classes by names, by one of several names, by number and by WordNet identifier.
func TestMatchClasses(t *testing.T) {
	imageNet := make([]string, 1000)
	for i := range imageNet {
		imageNet[i] = fmt.Sprint("LABEL_", i)
	}
	imageNet[0], imageNet[134], imageNet[517] = "tench, Tinca tinca", "crane", "crane"
	for _, c := range []struct {
		folders, labels []string
		given           map[string]string
		want            []int
		by, err         string
	}{
		{[]string{"n01440764", "n03445777", "n15075141"}, imageNet, nil, []int{0, 574, 999}, bySynset, ""},
		{[]string{"Tinca_tinca", "label-5"}, imageNet, nil, []int{0, 5}, byName, ""},
		{[]string{"0", "7", "999"}, imageNet, nil, []int{0, 7, 999}, byNumber, ""},
		{[]string{"0", "7", "1000"}, imageNet, nil, nil, "", `1 folder names no class of the model: "1000"`},
		{[]string{"crane"}, imageNet, nil, nil, "", "is the name of several classes, such as 134 and 517"},
		{[]string{"crane", "crane2"}, imageNet, map[string]string{"crane": "134", "crane2": "517"}, []int{134, 517}, byMap, ""},
		{[]string{"n01440764"}, []string{"a", "b"}, nil, nil, "", "1 folder names no class"},
		{[]string{"n01440764", "B"}, []string{"n01440764", "b"}, nil, []int{0, 1}, byName, ""},
		{[]string{"n00000000"}, imageNet, nil, nil, "", "1 folder names no class"},
		{[]string{"1", "0"}, []string{"1", "0"}, nil, []int{0, 1}, byName, ""},
	} {
		got, by, err := matchClasses(c.folders, c.labels, c.given)
		for i, b := range by {
			if b != c.by {
				t.Errorf("%q: matched by %q, expected %q", c.folders[i], b, c.by)
			}
		}
		if c.err == "" && (err != nil || !slices.Equal(got, c.want)) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%q: found %v, %v, expected %v %s", c.folders, got, err, c.want, c.err)
		}
	}
}

// TestPublished finds models as they are called on the hub, in their folders, and by timm's config.json.
func TestPublished(t *testing.T) {
	dir := t.TempDir()
	config := `{"architecture": "vit_tiny_patch16_224", "pretrained_cfg": {"tag": "augreg_in21k_ft_in1k"}}`
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	snapshot := filepath.Join(dir, "models--microsoft--beit-base-patch16-224", "snapshots", "0123456789abcdef")
	for _, c := range []struct {
		name, dir string
		want      string
		top1      float64
	}{
		{snapshot, snapshot, "microsoft/beit-base-patch16-224", 0.852},
		{"timm/beitv2_base_patch16_224.in1k_ft_in1k", "", "beitv2_base_patch16_224.in1k_ft_in1k", 0.85596},
		{"facebook/dinov2-with-registers-base-imagenet1k-1-layer", "", "facebook/dinov2-with-registers-base-imagenet1k-1-layer", 0.846},
		{"timm/vit_base_patch16_224.augreg2_in21k_ft_in1k", "", "vit_base_patch16_224.augreg2_in21k_ft_in1k", 0.85108},
		{"models/DeiT-base-patch16-224", "", "facebook/deit-base-patch16-224", 0.818},
		{"facebook/dinov2-base-imagenet1k-1-layer", "", "facebook/dinov2-base-imagenet1k-1-layer", 0.845},
		{dir, dir, "vit_tiny_patch16_224.augreg_in21k_ft_in1k", 0.75452},
	} {
		p := findPublished(modelNames(c.name, c.dir))
		if p == nil || p.Model != c.want || float32(p.Top1) != float32(c.top1) || p.Size != 224 {
			t.Errorf("%s: found %+v, expected %s, %v", c.name, p, c.want, c.top1)
		}
	}
	if p := findPublished(modelNames("mine", t.TempDir())); p != nil {
		t.Errorf("found %+v", p)
	}
}
