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
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/timm"
	"github.com/fovea-ml/fovea/nn"
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
				t.Errorf("%s: layout %v: %v", name, layout, err)
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

// TestKinds compares a few of timm's architectures, whose models are kept here.
func TestKinds(t *testing.T) {
	folders, err := os.ReadDir("testdata/kinds")
	if err != nil || len(folders) < 4 {
		t.Fatalf("found %d folders, %v", len(folders), err)
	}
	for _, f := range folders {
		t.Run(f.Name(), func(t *testing.T) { compareKind(t, filepath.Join("testdata/kinds", f.Name()), t.TempDir()) })
	}
}

// kinds are architectures of timm that differ in more than their sizes.
var kinds = []string{
	"vit_base_patch16_224", "vit_base_patch16_clip_quickgelu_224", "vit_base_patch16_siglip_224", "vit_base_patch16_siglip_gap_224",
	"vit_so150m_patch16_reg4_map_256", "vit_wee_patch16_reg1_gap_256", "vit_base_patch16_reg4_gap_256", "vit_medium_patch16_gap_240",
	"vit_base_patch14_dinov2", "vit_giant_patch14_reg4_dinov2", "vit_intern300m_patch14_448", "vit_base_patch16_radio_v3",
	"deit_tiny_distilled_patch16_224", "deit3_small_patch16_224",
	"eva_giant_patch14_224", "eva_large_patch14_196", "vit_small_patch16_dinov3", "vit_small_plus_patch16_dinov3_qkvb",
	"vit_small_patch16_18x2_224", "vit_pwee_patch16_reg1_gap_256", "vit_base_patch16_rpn_224",
	"vit_tiny_r_s16_p8_224", "vit_base_mci_224", "vit_small_r26_s32_224",
	"eva02_tiny_patch14_224", "eva02_base_patch14_224", "eva02_large_patch14_clip_224", "eva02_enormous_patch14_clip_224",
	"vit_pe_core_tiny_patch16_384", "vit_pe_core_gigantic_patch14_448", "vit_pe_lang_large_patch14_448",
	"vit_medium_patch16_rope_reg1_gap_256", "vit_small_patch16_rope_224", "vit_small_patch16_rope_ape_224",
	"vit_small_patch16_rope_mixed_224", "vit_small_patch16_rope_mixed_ape_224", "beit3_base_patch16_224",
	"vit_relpos_base_patch16_224", "vit_relpos_medium_patch16_cls_224", "vit_relpos_base_patch16_clsgap_224",
	"vit_relpos_small_patch16_rpn_224", "vit_srelpos_small_patch16_224", "beit_base_patch16_224", "beitv2_base_patch16_224",
}

// TestWalkKinds compares more of a sample of them with timm: hidden states, outputs at other sizes, the gradient of every
// parameter and their number. timm loads what is saved, to the same outputs.
func TestWalkKinds(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "timm_walk.py", append([]string{"-whole", dir}, kinds...)...)
	var saved []modeltest.Saved
	for _, name := range kinds {
		folder := t.TempDir()
		t.Run(name, func(t *testing.T) {
			saved = append(saved, compareKind(t, filepath.Join(dir, name), folder))
		})
	}
	modeltest.Library(t, "walk", saved...)
}

func compareKind(t *testing.T, dir, folder string) modeltest.Saved {
	t.Helper()
	g := golden.Load(t, filepath.Join(dir, "golden.safetensors"))
	m, err := Load(os.DirFS(dir), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pixels, shape := g.Tensor("pixels")
	tape := autograd.NewTape(autograd.Options{Gradients: true, Debug: true})
	compareHidden(t, g, m, autograd.NewTape(autograd.Options{Debug: true}).Input(pixels, shape...))
	out := output(m, tape.Input(pixels, shape...))
	values := out.Floats(nil)
	golden.Output(t, "output", values, g.Floats("output"))
	grads := autograd.NewGradients()
	autograd.Sum(autograd.Mul(out, out), false).Backward(grads)
	modeltest.Gradients(t, g, &names, m, grads)
	if got, want := nn.Count(m), int(g.Floats("parameters")[0]); got != want {
		t.Errorf("found %d parameters, expected %d", got, want)
	}
	for _, key := range g.Names() {
		if size, ok := strings.CutSuffix(key, "/pixels"); ok {
			pixels, shape := g.Tensor(key)
			got := output(m, autograd.NewTape(autograd.Options{Debug: true}).Input(pixels, shape...))
			golden.Output(t, size, got.Floats(nil), g.Floats(size+"/output"))
		}
	}
	if err := m.Save(folder, SaveOptions{Layout: models.Timm}); err != nil {
		t.Fatal(err)
	}
	return modeltest.Saved{Folder: folder, Outputs: []checkpoint.Entry{
		{Name: "pixels", Shape: shape, Floats: pixels},
		{Name: "logits", Shape: out.Shape(), Floats: values},
	}}
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
