package vit

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/timm"
)

// walked is what becomes of timm's architectures: the names that load, and those that are refused, by the end of the
// error.
type walked struct {
	Loaded  []string            `json:"loaded"`
	Refused map[string][]string `json:"refused"`
}

const walkedFile = "testdata/architectures.json"

func readWalked(t *testing.T) walked {
	t.Helper()
	var w walked
	data, err := os.ReadFile(walkedFile)
	if err == nil {
		err = json.Unmarshal(data, &w)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

var updateWalk = flag.Bool("walk", false, "write "+walkedFile+" anew")

// TestWalk loads a small model of every vit_*, deit*, beit* and eva* of timm: it gives timm's logits, also after it was saved,
// or is refused, as the file says.
func TestWalk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "walk")
	modeltest.Python(t, "timm_walk.py", dir)
	g := golden.Load(t, filepath.Join(dir, "golden.safetensors"))
	folders, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := walked{Refused: map[string][]string{}}
	for _, f := range folders {
		name := f.Name()
		if !f.IsDir() {
			continue
		}
		m, err := Load(os.DirFS(filepath.Join(dir, name)), LoadOptions{})
		if err != nil {
			reason := err.Error()
			reason = strings.TrimLeft(reason[strings.LastIndex(reason, `"`)+1:], ": ") // what follows the name of the architecture or tensor
			found.Refused[reason] = append(found.Refused[reason], name)
			continue
		}
		found.Loaded = append(found.Loaded, name)
		pixels, shape := g.Tensor(name + "/pixels")
		logits := m.Forward(autograd.NewTape(autograd.Options{Debug: true}).Input(pixels, shape...))
		golden.Output(t, name, logits.Floats(nil), g.Floats(name+"/logits"))
		for _, layout := range []models.Layout{models.HuggingFace, models.Timm} {
			folder := t.TempDir()
			if err := m.Save(folder, SaveOptions{Layout: layout}); err != nil {
				if layout == models.HuggingFace || m.Config.RopeTheta == 0 && !m.Config.NoKeyBias {
					t.Errorf("%s: layout %v: %v", name, layout, err)
				}
				continue
			}
			again, err := Load(os.DirFS(folder), LoadOptions{})
			if err != nil {
				t.Errorf("%s: layout %v: %v", name, layout, err)
				continue
			}
			got := again.Forward(autograd.NewTape(autograd.Options{}).Input(pixels, shape...))
			golden.Output(t, name+" saved", got.Floats(nil), g.Floats(name+"/logits"))
		}
	}
	if *updateWalk {
		data, err := json.MarshalIndent(found, "", " ")
		if err == nil {
			err = os.WriteFile(walkedFile, append(data, '\n'), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(readWalked(t), found); d != "" {
		t.Error(d)
	}
}

// TestWalkNames reads the names that load, and refuses the others by name where the weights do not tell.
func TestWalkNames(t *testing.T) {
	w := readWalked(t)
	for _, name := range w.Loaded {
		if _, err := timm.ArchitectureOf(name); err != nil {
			t.Error(err)
		}
	}
	all := slices.Clone(w.Loaded)
	for reason, names := range w.Refused {
		all = append(all, names...)
		if !strings.Contains(reason, "not supported") {
			t.Errorf("%q are refused with %q, which does not say that they are not supported", names, reason)
		}
	}
	if len(all) < 250 {
		t.Errorf("found %d names", len(all))
	}
}
