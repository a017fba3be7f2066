package lora_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/lora"
)

// TestLoad compares outputs and gradients of adapters that PEFT wrote with PEFT's own.
func TestLoad(t *testing.T) {
	for folder, reference := range map[string]string{"attention": "attention", "layers": "layers", "old": "attention"} {
		t.Run(folder, func(t *testing.T) {
			m := newModel(t)
			if err := lora.Load(os.DirFS("testdata/"+folder), m, &names); err != nil {
				t.Fatal(err)
			}
			g := golden.Load(t, "testdata/"+reference+"/golden.safetensors")
			golden.Output(t, "logits", m.logits(g.Floats("pixels")), g.Floats("logits"))
			loss, grads := m.gradients(g, autograd.Options{})
			golden.Output(t, "loss", []float32{loss}, g.Floats("loss"))

			// The golden's gradients are read as an adapter of a second model.
			weights := map[string][]float32{}
			var all [][]float32
			entries := []checkpoint.Entry{}
			for _, name := range g.Names() {
				if name, ok := strings.CutPrefix(name, "grad/"); ok {
					values, shape := g.Tensor("grad/" + name)
					weights[name] = values
					all = append(all, values)
					entries = append(entries, checkpoint.Entry{Name: name, Floats: values, Shape: shape})
				}
			}
			config, err := os.ReadFile("testdata/" + reference + "/adapter_config.json")
			if err != nil {
				t.Fatal(err)
			}
			want := newModel(t)
			if err := lora.Load(memory(t, config, entries), want, &names); err != nil {
				t.Fatal(err)
			}
			expected := map[string]*autograd.Parameter{}
			for path, p := range nn.Parameters(want) {
				expected[path] = p
			}
			n := 0
			for path, p := range nn.Parameters(m) {
				if p.Frozen != (grads.Of(p) == nil) || p.Frozen != expected[path].Frozen {
					t.Errorf("%s: frozen %v, gradient %v", path, p.Frozen, grads.Of(p))
				}
				if !p.Frozen {
					golden.Gradient(t, path, grads.Of(p), expected[path].Values(), golden.Norm(all...))
					n++
				}
			}
			if n != len(weights) {
				t.Errorf("%d parameters are trained, expected %d", n, len(weights))
			}
		})
	}
}

// memory returns an adapter's folder in memory.
func memory(t *testing.T, config []byte, entries []checkpoint.Entry) fstest.MapFS {
	t.Helper()
	file := filepath.Join(t.TempDir(), "weights")
	if err := checkpoint.Write(file, entries, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{lora.ConfigName: {Data: config}, lora.SafetensorsName: {Data: data}}
}

// saved attaches adapters of every kind to a model and saves them.
func saved(t *testing.T, table *checkpoint.Names) (m *model, dir string) {
	t.Helper()
	m = newModel(t)
	if err := lora.Attach(m, lora.Options{Layers: []string{"Blocks.*.Attention.QKV.[KV]*", "Blocks.1.MLP.*", "*.Proj"}, Rank: 2, Train: []string{"Head.*"}}, rng()); err != nil {
		t.Fatal(err)
	}
	other := m.Blocks[1].MLP.FC2
	other.Adapter[0].Alpha = 5
	other.Adapter[0].A, other.Adapter[0].B = autograd.NewParameter(3, 20), autograd.NewParameter(12, 3)
	m.shake()
	dir = filepath.Join(t.TempDir(), "adapter")
	if err := lora.Save(dir, m, table); err != nil {
		t.Fatal(err)
	}
	return m, dir
}

// TestTables saves under unusual tables of names.
func TestTables(t *testing.T) {
	type inner struct{ Adapted, Trained *nn.Linear }
	newInner := func() *struct{ Body inner } {
		return &struct{ Body inner }{inner{nn.NewLinear(3, 4, true), nn.NewLinear(4, 2, false)}}
	}
	m, dir := newInner(), t.TempDir()
	if err := lora.Attach(m, lora.Options{Layers: []string{"Body.Adapted"}, Rank: 1, Train: []string{"Body.Trained.*"}}, rng()); err != nil {
		t.Fatal(err)
	}
	m.Body.Trained.Weight.Update(func(w []float32) { w[0] = 7 })

	// The body is at the top of the file, and one row has no name in the first column.
	table := &checkpoint.Names{Rules: []checkpoint.Rule{{"Body.Trained", "", "head"}, {"Body", ".", "body"}}}
	if err := lora.Save(dir, m, table); err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.OpenFS(os.DirFS(dir), lora.SafetensorsName, checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := []string{"base_model.model.adapted.lora_A.weight", "base_model.model.adapted.lora_B.weight", "base_model.model.head.weight"}
	if d := cmp.Diff(want, slices.Sorted(f.Names())); d != "" {
		t.Error(d)
	}
	back := newInner()
	if err := lora.Load(os.DirFS(dir), back, table); err != nil {
		t.Fatal(err)
	}
	if back.Body.Trained.Weight.Values()[0] != 7 {
		t.Error("the trained layer was not loaded")
	}

	if err := lora.Save(t.TempDir(), m, nil); err == nil || !strings.Contains(err.Error(), "Body.Adapted: the table of names has no module for this layer") {
		t.Errorf("save without a table: %v", err)
	}
	if err := lora.Load(os.DirFS(dir), newInner(), nil); err == nil || !strings.Contains(err.Error(), "base_model.model.adapted.lora_A.weight: the model has no linear layer of this name") {
		t.Errorf("load without a table: %v", err)
	}
	defer func() {
		if r := fmt.Sprint(recover()); r != `checkpoint: rule ["Body"]: expected a path and at least one name` {
			t.Errorf("a rule of one name: found %s", r)
		}
	}()
	lora.Save(t.TempDir(), m, &checkpoint.Names{Rules: []checkpoint.Rule{{"Body"}}})
}

// TestSave expects what was saved to load to the same bits.
func TestSave(t *testing.T) {
	for _, column := range []string{"disk", "memory"} {
		table := names.Writing(column)
		m, dir := saved(t, table)
		back := newModel(t)
		if err := lora.Load(os.DirFS(dir), back, &names); err != nil {
			t.Fatal(err)
		}
		values, frozen := m.values()
		gotValues, gotFrozen := back.values()
		if d := cmp.Diff(values, gotValues); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(frozen, gotFrozen); d != "" {
			t.Error(d)
		}
		pixels := golden.Load(t, "testdata/attention/golden.safetensors").Floats("pixels")
		if d := cmp.Diff(m.logits(pixels), back.logits(pixels)); d != "" {
			t.Error(d)
		}
	}
}

// TestSaveParts saves one adapter of all rows of a layer as one of each module that the table has for it, and expects the same
// outputs from those.
func TestSaveParts(t *testing.T) {
	m := newModel(t)
	if err := lora.Attach(m, lora.Options{Layers: []string{"Blocks.0.Attention.QKV.Query"}, Rank: 2}, rng()); err != nil {
		t.Fatal(err)
	}
	a := m.Blocks[0].Attention.QKV.Adapter[0]
	a.B = autograd.NewParameter(36, 2)
	nn.Normal(rng(), a.B, 0.3)
	dir := filepath.Join(t.TempDir(), "adapter")
	if err := lora.Save(dir, m, names.Writing("memory")); err != nil {
		t.Fatal(err)
	}
	back := newModel(t)
	if err := lora.Load(os.DirFS(dir), back, &names); err != nil {
		t.Fatal(err)
	}
	if n := len(back.Blocks[0].Attention.QKV.Adapter); n != 3 {
		t.Errorf("found %d adapters, expected 3", n)
	}
	pixels := golden.Load(t, "testdata/attention/golden.safetensors").Floats("pixels")
	plain := newModel(t).logits(pixels)
	want := m.logits(pixels)
	golden.Within(t, "logits", back.logits(pixels), want, 1e-5)
	if cmp.Equal(plain, want) {
		t.Error("the adapter changes nothing")
	}
}

// TestSaveMistakes expects errors from models whose adapters the files cannot hold.
func TestSaveMistakes(t *testing.T) {
	memory := names.Writing("memory")
	for want, c := range map[string]struct {
		table  *checkpoint.Names
		change func(m *model)
	}{
		"the model has no adapter":                                        {memory, func(m *model) { *m = *newModel(t) }},
		"Blocks.0.Attention.QKV is merged":                                {memory, func(m *model) { _ = lora.Merge(m) }},
		"covers rows 0 to 12, and the table of names has parts of 36":     {names.Writing("timm"), func(m *model) {}},
		"Blocks.0.Attention.QKV: the table of names has no module":        {&checkpoint.Names{}, func(m *model) { m.Blocks[0].Attention.QKV.Adapter[0].B = autograd.NewParameter(36, 2) }},
		"expected a dropout of 0 as in the first adapter, found 0.5":      {memory, func(m *model) { m.Head.Adapter[0].Dropout = 0.5 }},
		"expected all adapters to be stabilized, or none":                 {memory, func(m *model) { m.Head.Adapter[0].Stabilized = true }},
		"classifier: a module with an adapter has trained parameters":     {memory, func(m *model) { m.Head.Bias.Frozen = false }},
		"vit.layers.1.mlp.fc1: a module with an adapter has trained para": {memory, func(m *model) { m.Blocks[1].MLP.FC1.Bias.Frozen = false }},
	} {
		m := newModel(t)
		if err := lora.Attach(m, lora.Options{Layers: []string{"Blocks.0.Attention.QKV.Query", "Blocks.1.MLP.FC1", "Head"}, Rank: 2}, rng()); err != nil {
			t.Fatal(err)
		}
		c.change(m)
		dir := filepath.Join(t.TempDir(), "adapter")
		if err := lora.Save(dir, m, c.table); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected an error with %q, found %v", want, err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: something was written", want)
		}
	}
}

// TestConfig changes one field of a good configuration at a time.
func TestConfig(t *testing.T) {
	good, err := os.ReadFile("testdata/attention/adapter_config.json")
	if err != nil {
		t.Fatal(err)
	}
	weights, err := os.ReadFile("testdata/attention/adapter_model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ field, value, want string }{
		{"peft_type", `"LOHA"`, `peft_type: expected LORA, found "LOHA"`},
		{"peft_type", ``, `peft_type: expected LORA, found ""`},
		{"r", `null`, "r: expected a whole number, found null"},
		{"r", `"2"`, `r: expected a whole number, found "2"`},
		{"r", `2.5`, "r: expected a whole number, found 2.5"},
		{"r", `0`, "expected at least 1, found 0"},
		{"r", `1000000000000`, "expected shape [1000000000000 12], found [2 12]"},
		{"r", ``, "expected shape [8 12], found [2 12]"}, // PEFT's default
		{"lora_alpha", `"4"`, "lora_alpha: expected a number"},
		{"lora_dropout", `1.5`, "lora_dropout: expected at least 0 and below 1, found 1.5"},
		{"use_rslora", `1`, "use_rslora: expected true or false, found 1"},
		{"bias", `"all"`, `bias: expected "none", found "all"`},
		{"use_dora", `true`, "use_dora: unsupported: true"},
		{"lora_bias", `true`, "lora_bias: unsupported: true"},
		{"use_qalora", `true`, "use_qalora: unsupported"},
		{"layer_replication", `[[0, 4], [2, 5]]`, "layer_replication: unsupported"},
		{"loftq_config", `{"loftq_bits": 4}`, "loftq_config: unsupported"},
		{"trainable_token_indices", `[1]`, "trainable_token_indices: unsupported"},
		{"target_parameters", `["x"]`, "target_parameters: unsupported"},
		{"alora_invocation_tokens", `[3]`, "alora_invocation_tokens: unsupported"},
		{"a_later_feature", `{"x": 1}`, "a_later_feature: unsupported"},
		{"a_later_feature", `null`, ""},
		{"init_lora_weights", `"pissa_niter_4"`, "init_lora_weights"},
		{"init_lora_weights", `"gaussian"`, ""},
		{"init_lora_weights", `"Gaussian"`, ""},
		{"init_lora_weights", `"EVA"`, "init_lora_weights"}, // PEFT refuses it too
		{"init_lora_weights", `false`, ""},
		{"fan_in_fan_out", `true`, ""},
		{"task_type", `"FEATURE_EXTRACTION"`, ""},
		{"target_modules", `null`, "target_modules: expected a list of names or an expression"},
		{"target_modules", `3`, "target_modules: expected a list of names or an expression, found 3"},
		{"target_modules", `["q_proj"]`, "vit.layers.0.attention.v_proj.lora_A.weight: adapter_config.json does not name this module"},
		{"target_modules", `["q_proj", "v_proj", "k_proj"]`, "expected an adapter of vit.layers.0.attention.k_proj"},
		{"target_modules", `"(?!x).*"`, "target_modules: unsupported expression"},
		{"target_modules", `"vit.*attention\\.(q|v)_proj"`, ""},
		{"target_modules", `".*(q|v)_pro"`, "does not name this module"},
		{"target_modules", `"All-Linear"`, ""},
		{"target_modules", `"vit.{,90}(q|v)_proj"`, "target_modules: unsupported expression: {, has another meaning in Python"},
		{"alpha_pattern", `{"layers.{,1}0.*": 2}`, "alpha_pattern: unsupported expression: {, has another meaning in Python"},
		{"rank_pattern", `{"layers.[[:digit:]].*": 2}`, "rank_pattern: unsupported expression: [[: has another meaning in Python"},
		{"exclude_modules", `"x[a[:digit:]]"`, "exclude_modules: unsupported expression: [a[: has another meaning in Python"},
		{"exclude_modules", `["1.attention.q_proj"]`, "vit.layers.1.attention.q_proj.lora_A.weight: adapter_config.json does not name"},
		{"exclude_modules", `"vit\\.layers\\.1\\..*"`, "vit.layers.1.attention.q_proj.lora_A.weight: adapter_config.json does not name"},
		{"layers_to_transform", `[0, 2]`, "vit.layers.1.attention.q_proj.lora_A.weight: adapter_config.json does not name"},
		{"layers_to_transform", `[0, 1, 2]`, ""},
		{"layers_to_transform", `1`, "vit.layers.0.attention.q_proj.lora_A.weight: adapter_config.json does not name"},
		{"layers_to_transform", `"x"`, "layers_to_transform: expected a whole number or a list of them"},
		{"layers_pattern", `"blocks"`, ""}, // means something with layers_to_transform alone
		{"modules_to_save", `null`, "base_model.model.classifier.bias"},
		{"modules_to_save", `["classifier", "score"]`, ""},
		{"modules_to_save", `["classifier", "layernorm"]`, "Norm.Weight"},
		{"modules_to_save", `["classifier", "norm"]`, "Norm.Weight"}, // an ending, without a dot
		{"modules_to_save", `["ssifier"]`, ""},
		{"modules_to_save", `["classifier", "embeddings"]`, "lora: adapter_config.json: modules_to_save: unsupported: it names vit.embeddings and, within it, vit.embeddings.patch_embeddings, whose trained values PEFT did not save"},
		{"modules_to_save", `["classifier", "k_proj"]`, "lora: adapter_config.json: modules_to_save: unsupported: it covers vit.layers.0.attention.k_proj.weight, but not the other parts of Blocks.0.Attention.QKV.Weight"},
		{"rank_pattern", `{"v_proj": 3}`, "lora: adapter_model.safetensors: base_model.model.vit.layers.0.attention.v_proj.lora_A.weight: expected shape [3 12], found [2 12]"},
		{"rank_pattern", `{"layers.0.attention.v_proj": 2, ".*": 2}`, ""},
		{"rank_pattern", `{".*": 2, "v_proj": 3}`, ""}, // the first that matches counts
		{"rank_pattern", `{"v_proj": 0}`, "lora: adapter_config.json: the rank of vit.layers.0.attention.v_proj: expected at least 1, found 0"},
		{"rank_pattern", `{"v_proj": 2.5}`, "rank_pattern: expected whole numbers, found 2.5"},
		{"rank_pattern", `{"v_proj": "2"}`, "rank_pattern: expected an object that holds a number for each module"},
		{"alpha_pattern", `[1]`, "alpha_pattern: expected an object"},
		{"alpha_pattern", `{"` + strings.Repeat("(q|v)_proj|", 5_000) + `x": 4}`, "alpha_pattern: expressions are too long"},
		{"layers_pattern", `"` + strings.Repeat("(.*)", 10_000) + `"`, "layers_pattern: expressions are too long or have too many groups"},
		{"target_modules", `["` + strings.Repeat(`a", "`, 300_000) + `"]`, "adapter_config.json: expected at most 1048576 bytes"},
		{"target_modules", `"` + strings.Repeat("x{1000}", 200) + `"`, "target_modules: expressions are too long"},
		{"target_modules", `"vit.{1,90}(q|v)_proj"`, ""},
	} {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(good, &fields); err != nil {
			t.Fatal(err)
		}
		fields[c.field] = json.RawMessage(c.value)
		if c.value == "" {
			delete(fields, c.field)
		}
		config, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		m := newModel(t)
		values, frozen := m.values()
		err = lora.Load(fstest.MapFS{lora.ConfigName: {Data: config}, lora.SafetensorsName: {Data: weights}}, m, &names)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %s: %v", c.field, c.value, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.200s: expected an error with %q, found %v", c.field, c.value, c.want, err)
		}
		gotValues, gotFrozen := m.values()
		if cmp.Diff(values, gotValues) != "" || cmp.Diff(frozen, gotFrozen) != "" {
			t.Errorf("%s: %.200s: the model was changed", c.field, c.value)
		}
	}
}

// TestAlpha checks the values that patterns of a configuration give.
func TestAlpha(t *testing.T) {
	m := newModel(t)
	if err := lora.Load(os.DirFS("testdata/layers"), m, &names); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		layer *nn.Linear
		rank  int
		alpha float64
	}{
		{m.Blocks[1].Attention.Proj, 1, 6},
		{m.Blocks[1].MLP.FC1, 3, 6},
		{m.Blocks[2].MLP.FC1, 5, 6},
		{m.Blocks[2].MLP.FC2, 3, 9},
		{m.Head, 3, 6},
	} {
		if a := c.layer.Adapter[0]; a.A.Shape()[0] != c.rank || a.Alpha != c.alpha || !a.Stabilized {
			t.Errorf("rank %d, alpha %v, stabilized %v; expected %d, %v, true", a.A.Shape()[0], a.Alpha, a.Stabilized, c.rank, c.alpha)
		}
	}
	if m.Blocks[0].MLP.FC1.Adapter != nil || m.Blocks[1].Attention.QKV.Adapter != nil {
		t.Error("a layer that is no target has an adapter")
	}
}

// TestWeights changes the tensors of a good folder.
func TestWeights(t *testing.T) {
	config, err := os.ReadFile("testdata/attention/adapter_config.json")
	if err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Open("testdata/attention/adapter_model.safetensors", checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const a, b = "base_model.model.vit.layers.1.attention.q_proj.lora_A.weight", "base_model.model.vit.layers.1.attention.q_proj.lora_B.weight"
	for want, rename := range map[string]map[string]string{
		"expected an adapter of vit.layers.1.attention.q_proj, which adapter_config.json names, found none": {a: "", b: ""},
		"expected a tensor " + b + ", found none":                                                           {b: ""},
		"vit.layers.7.attention.q_proj.lora_A.weight: the model has no linear layer":                        {a: strings.Replace(a, ".1.", ".7.", 1)},
		"base_model.model.vit.layers.1.attention.q_proj.magnitude":                                          {"": "base_model.model.vit.layers.1.attention.q_proj.magnitude"},
		"classifier.weight": {"base_model.model.classifier.weight": ""},
		"q_proj.lora_A.weight: expected shape [2 12], found [12 2]": {b: a, a: b},
	} {
		var entries []checkpoint.Entry
		add := func(x checkpoint.Tensor, name string) {
			values := make([]float32, x.Len())
			if err := x.Floats(values); err != nil {
				t.Fatal(err)
			}
			entries = append(entries, checkpoint.Entry{Name: name, Floats: values, Shape: x.Shape})
		}
		for x := range f.Tensors() {
			if name, ok := rename[x.Name]; !ok {
				add(x, x.Name)
			} else if name != "" {
				add(x, name)
			}
		}
		if extra := rename[""]; extra != "" {
			x, _ := f.Tensor(a)
			add(x, extra)
		}
		m := newModel(t)
		if err := lora.Load(memory(t, config, entries), m, &names); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected an error with %q, found %v", want, err)
		}
		if adapted(m) {
			t.Errorf("%s: the model was changed", want)
		}
	}
	m := newModel(t)
	if err := lora.Load(os.DirFS(t.TempDir()), m, &names); err == nil || !strings.Contains(err.Error(), lora.ConfigName) {
		t.Errorf("an empty folder: %v", err)
	}
	if err := lora.Load(fstest.MapFS{lora.ConfigName: {Data: config}}, m, &names); err == nil || !strings.Contains(err.Error(), lora.SafetensorsName) {
		t.Errorf("a folder without weights: %v", err)
	}
	for range 2 {
		err = lora.Load(os.DirFS("testdata/attention"), m, &names)
	}
	if err == nil || !strings.Contains(err.Error(), "the layer has an adapter already") {
		t.Errorf("a second adapter: %v", err)
	}
}

// TestFused loads an adapter of a whole fused projection, as a model of timm has it.
func TestFused(t *testing.T) {
	m := newModel(t)
	values := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(i%7) / 10
		}
		return v
	}
	folder := memory(t, []byte(`{"peft_type": "LORA", "r": 2, "target_modules": ["qkv"], "layers_to_transform": 1, "layers_pattern": "blocks"}`), []checkpoint.Entry{
		{Name: "base_model.model.blocks.1.attn.qkv.lora_A.weight", Floats: values(24), Shape: []int{2, 12}},
		{Name: "base_model.model.blocks.1.attn.qkv.lora_B.weight", Floats: values(72), Shape: []int{36, 2}},
	})
	if err := lora.Load(folder, m, &names); err != nil {
		t.Fatal(err)
	}
	if a := m.Blocks[1].Attention.QKV.Adapter; len(a) != 1 || a[0].From != 0 || a[0].Scale() != 4 {
		t.Fatalf("%+v", a)
	}
	pixels := golden.Load(t, "testdata/attention/golden.safetensors").Floats("pixels")
	want := m.logits(pixels)
	if err := lora.Merge(m); err != nil {
		t.Fatal(err)
	}
	golden.Output(t, "merged", m.logits(pixels), want)
	if err := lora.Unmerge(m); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := lora.Save(dir, m, names.Writing("timm")); err != nil {
		t.Fatal(err)
	}
	back := newModel(t)
	if err := lora.Load(os.DirFS(dir), back, &names); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, back.logits(pixels)); d != "" {
		t.Error(d)
	}
}

// TestTrainedBuffers saves and loads a module with running statistics that is trained beside an adapter.
func TestTrainedBuffers(t *testing.T) {
	type net struct {
		Norm *nn.BatchNorm
		Head *nn.Linear
	}
	newNet := func() *net { return &net{nn.NewBatchNorm(3, true), nn.NewLinear(3, 2, true)} }
	table := &checkpoint.Names{Rules: []checkpoint.Rule{{"Norm", "stem.bn"}, {"Head", "classifier"}}}
	m := newNet()
	if err := lora.Attach(m, lora.Options{Layers: []string{"Head"}, Rank: 1, Train: []string{"Norm.Bias"}}, rng()); err != nil {
		t.Fatal(err)
	}
	m.Norm.Bias.Update(func(v []float32) { v[0] = 3 })
	m.Norm.Variance.Update(func(v []float32) { v[1] = 4 })
	dir := t.TempDir()
	if err := lora.Save(dir, m, table); err != nil {
		t.Fatal(err)
	}
	back := newNet()
	if err := lora.Load(os.DirFS(dir), back, table); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]float32{3, 0, 0}, back.Norm.Bias.Values()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]float32{1, 4, 1}, back.Norm.Variance.Values()); d != "" {
		t.Error(d)
	}
	if back.Head.Weight.Frozen == back.Norm.Weight.Frozen {
		t.Error("the trained module is frozen")
	}
}

// FuzzLoad loads good weights with any configuration: an error leaves the model without adapters.
func FuzzLoad(f *testing.F) {
	weights, err := os.ReadFile("testdata/attention/adapter_model.safetensors")
	if err != nil {
		f.Fatal(err)
	}
	for _, folder := range []string{"attention", "layers", "old"} {
		config, err := os.ReadFile("testdata/" + folder + "/adapter_config.json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(config)
	}
	f.Add([]byte(`{"peft_type": "LORA", "target_modules": ".*", "rank_pattern": {"x": 2}, "layers_to_transform": [0], "layers_pattern": "("}`))
	f.Fuzz(func(t *testing.T, config []byte) {
		m := newModel(t)
		err := lora.Load(fstest.MapFS{lora.ConfigName: {Data: config}, lora.SafetensorsName: {Data: weights}}, m, &names)
		if (err == nil) != adapted(m) {
			t.Errorf("adapted: %v, error %v", adapted(m), err)
		}
	})
}
