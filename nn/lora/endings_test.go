package lora_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/oracle"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/lora"
)

// tails is a model in which names of modules are endings of others.
type tails struct {
	Body, Aux, Head, Overhead *nn.Linear
	Decoder                   struct {
		Token *autograd.Parameter
		Norm  *nn.LayerNorm
		Body  *nn.Linear
	}
}

var tailNames = checkpoint.Names{Rules: []checkpoint.Rule{
	{"Body", "vit.dense"}, {"Aux", "aux.head"}, {"Head", "head"}, {"Overhead", "overhead"},
	{"Decoder.Token", "decoder.token"}, {"Decoder.Norm", "decoder.decoder_norm"}, {"Decoder.Body", "decoder.dense"},
}, Prefixes: []string{"vit."}, Ignore: []string{"pooler.*"}}

func newTails() *tails {
	m := &tails{Body: nn.NewLinear(3, 3, true), Aux: nn.NewLinear(3, 4, true), Head: nn.NewLinear(3, 2, true), Overhead: nn.NewLinear(3, 2, true)}
	m.Decoder.Token, m.Decoder.Norm, m.Decoder.Body = autograd.NewParameter(3), nn.NewLayerNorm(3, 1e-6), nn.NewLinear(3, 3, true)
	return m
}

// scales returns the rank and alpha of each adapter, by the name of its module.
func scales(m any) map[string][2]float64 {
	all := map[string][2]float64{}
	for path, l := range nn.Layers[nn.Linear](m) {
		for _, a := range l.Adapter {
			name := strings.TrimSuffix(tailNames.Tensors(path + ".Weight")[0][0], ".weight")
			all[name] = [2]float64{float64(a.A.Shape()[0]), a.Alpha}
		}
	}
	return all
}

// TestEndings saves modules with names that are endings of others, and asks PEFT what it reads.
func TestEndings(t *testing.T) {
	top := t.TempDir()
	var dirs []string
	var want []map[string][2]float64
	for name, c := range map[string]struct {
		layers, train []string
		config        string // a part of it
		err           string
	}{
		"both":     {[]string{"Aux", "Head"}, nil, `"alpha_pattern": {"^head": 2}`, ""},
		"one":      {[]string{"Head"}, nil, `"target_modules": "head"`, ""},
		"two":      {[]string{"Head", "Decoder.Body"}, nil, `"target_modules": "head|decoder\\.dense"`, ""},
		"whole":    {[]string{"Body"}, nil, `"target_modules": ["vit.dense"]`, ""},
		"nested":   {[]string{"Body"}, []string{"Decoder.*"}, `"modules_to_save": ["decoder"]`, ""},
		"ending":   {[]string{"Aux"}, []string{"Head.*"}, "", "aux.head: PEFT reads no adapter of this module beside trained modules of the names [\"head\"]"},
		"trained":  {[]string{"Body"}, []string{"Head.*"}, "", "head is trained, and PEFT would read aux.head as trained too"},
		"no dot":   {[]string{"Body"}, []string{"Aux.*", "Head.*"}, "", "head is trained, and PEFT would read overhead as trained too"},
		"all":      {[]string{"Body"}, []string{"Aux.*", "Head.*", "Overhead.*"}, `"modules_to_save": ["aux.head", "head", "overhead"]`, ""},
		"no clash": {[]string{"Body"}, []string{"Aux.*"}, `"modules_to_save": ["aux.head"]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newTails()
			if err := lora.Attach(m, lora.Options{Layers: c.layers, Rank: 2, Train: c.train}, rng()); err != nil {
				t.Fatal(err)
			}
			if len(m.Aux.Adapter)+len(m.Head.Adapter) == 2 {
				m.Head.Adapter[0].Alpha = 2
				m.Head.Adapter[0].A, m.Head.Adapter[0].B = autograd.NewParameter(1, 3), autograd.NewParameter(2, 1)
			}
			dir := filepath.Join(top, name)
			if err := lora.Save(dir, m, &tailNames); c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("expected an error with %q, found %v", c.err, err)
				}
				return
			} else if err != nil {
				t.Fatal(err)
			}
			config, err := os.ReadFile(filepath.Join(dir, lora.ConfigName))
			if err != nil {
				t.Fatal(err)
			}
			squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
			if !strings.Contains(squeeze(string(config)), squeeze(c.config)) {
				t.Errorf("expected %s in %s", c.config, config)
			}
			back := newTails()
			if err := lora.Load(os.DirFS(dir), back, &tailNames); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(scales(m), scales(back)); d != "" {
				t.Error(d)
			}
			dirs, want = append(dirs, dir), append(want, scales(m))
		})
	}
	t.Run("PEFT", func(t *testing.T) {
		if d := cmp.Diff(want, readByPEFT(t, dirs)); d != "" {
			t.Error(d)
		}
	})
}

// readByPEFT lets PEFT load folders into models of the modules of tails. It returns the ranks and alphas there.
func readByPEFT(t *testing.T, dirs []string) []map[string][2]float64 {
	t.Helper()
	shapes := map[string][]int{}
	for path, p := range nn.Parameters(newTails()) {
		shapes[tailNames.Tensors(path)[0][0]] = p.Shape()
	}
	spec, err := json.Marshal(shapes)
	if err != nil {
		t.Fatal(err)
	}
	cmd := oracle.Command(t, "torch, transformers and peft", "check_lora.py", append([]string{"--modules", string(spec)}, dirs...)...)
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		if exit.ExitCode() == 3 {
			t.Skip("this Python has no peft")
		}
		t.Fatalf("%v\n%s", err, exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string][2]float64
	for line := range strings.Lines(string(out)) {
		var one map[string][2]float64
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, one)
	}
	return all
}

// TestNames loads adapters that were written for other models, and expects the adapted and the trained modules.
func TestNames(t *testing.T) {
	for name, c := range map[string]struct {
		config          string
		adapted         []string // names in the file
		saved           []string
		err             string
		layers, trained []string // paths
	}{
		"every dense":             {`"target_modules": ["dense"]`, []string{"vit.dense", "decoder.dense"}, nil, "", []string{"Body", "Decoder.Body"}, nil},
		"a model without decoder": {`"target_modules": ["dense"]`, []string{"dense"}, nil, "", []string{"Body"}, nil},
		"a model with a decoder": {`"target_modules": ["dense"]`, []string{"vit.dense"}, nil,
			"expected an adapter of decoder.dense, which adapter_config.json names, found none", nil, nil},
		"a layer that is not used": {`"target_modules": ["dense"]`, []string{"dense", "pooler.dense"}, nil, "", []string{"Body"}, nil},
		"only such layers":         {`"target_modules": ["dense"]`, []string{"pooler.dense"}, nil, "expected tensors with names that end in", nil, nil},
		"all":                      {`"target_modules": "all-linear"`, []string{"head", "vit.dense"}, nil, "", []string{"Body", "Head"}, nil},
		"all but":                  {`"target_modules": "all-linear", "exclude_modules": ["dense"]`, []string{"head", "vit.dense"}, nil, "does not name this module", nil, nil},
		"an ending": {`"target_modules": ["head"], "modules_to_save": ["norm"]`, []string{"head", "aux.head"},
			[]string{"decoder.decoder_norm"}, "", []string{"Aux", "Head"}, []string{"Decoder.Norm"}},
		"an ending without its module": {`"target_modules": ["dense"], "modules_to_save": ["norm"]`, []string{"dense"}, nil, "", []string{"Body"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var entries []checkpoint.Entry
			add := func(name string, shape ...int) {
				n := 1
				for _, d := range shape {
					n *= d
				}
				entries = append(entries, checkpoint.Entry{Name: "base_model.model." + name, Floats: make([]float32, n), Shape: shape})
			}
			rows := map[string]int{"aux.head": 4, "head": 2}
			for _, module := range c.adapted {
				n := rows[module]
				if n == 0 {
					n = 3
				}
				add(module+".lora_A.weight", 1, 3)
				add(module+".lora_B.weight", n, 1)
			}
			for _, module := range c.saved {
				add(module+".weight", 3)
				add(module+".bias", 3)
			}
			m := newTails()
			err := lora.Load(memory(t, []byte(`{"peft_type": "LORA", "r": 1, `+c.config+`}`), entries), m, &tailNames)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("expected an error with %q, found %v", c.err, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			trained := map[string]bool{}
			for path, p := range nn.Parameters(m) {
				if !p.Frozen {
					path, _, _ = strings.Cut(path, ".Adapter.")
					path = strings.TrimSuffix(strings.TrimSuffix(path, ".Weight"), ".Bias")
					trained[path] = true
				}
			}
			want := slices.Sorted(slices.Values(slices.Concat(c.layers, c.trained)))
			if d := cmp.Diff(want, slices.Sorted(maps.Keys(trained))); d != "" {
				t.Error(d)
			}
		})
	}
}
