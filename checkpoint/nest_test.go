package checkpoint

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNest puts rows of every form below paths and stems, once and again.
func TestNest(t *testing.T) {
	block := []Rule{
		{"Norm", "layernorm", "norm", "ln"},
		{"QKV", "attn.{q,k,v}", "qkv T", ""},
		{"Cls", "", "cls [1,1,*]"},
		{"", ".", ". T", "all"},
		{"Experts.{}", "experts.{+1}"},
	}
	for _, c := range []struct {
		name string
		got  []Rule
		want string
	}{
		{"rows of every form", Nest("Blocks.{}", []string{"layer.{}", "blocks.{}", "h.{}"}, block...), `
			Blocks.{}.Norm | layer.{}.layernorm | blocks.{}.norm | h.{}.ln
			Blocks.{}.QKV | layer.{}.attn.{q,k,v} | blocks.{}.qkv T |
			Blocks.{}.Cls |  | blocks.{}.cls [1,1,*]
			Blocks.{} | layer.{} | blocks.{} T | h.{}.all
			Blocks.{}.Experts.{} | layer.{}.experts.{+1}`},
		{"fewer stems", Nest("B", []string{"b"}, block[0], block[3]), `
			B.Norm | b.layernorm
			B | b`},
		{"nothing in front", Nest("", []string{"", ""}, block[1], block[3]), `
			QKV | attn.{q,k,v} | qkv T
			 | . | . T`},
		{"twice", Nest("Vision", []string{"vision_model", ""}, Nest("Blocks.{}", []string{"encoder.layers.{}", "blocks.{}"}, block[1], block[3])...), `
			Vision.Blocks.{}.QKV | vision_model.encoder.layers.{}.attn.{q,k,v} | blocks.{}.qkv T
			Vision.Blocks.{} | vision_model.encoder.layers.{} | blocks.{} T`},
		{"twice, the inner without a stem", Nest("V", []string{"v"}, Nest("", []string{""}, block[0], block[3])...), `
			V.Norm | v.layernorm
			V | v`},
		{"no rules", Nest("B", []string{"b"}), ""},
	} {
		var got strings.Builder
		for _, r := range c.got {
			fmt.Fprintf(&got, "\n\t\t\t%s", strings.TrimRight(strings.Join(r, " | "), " "))
		}
		if d := cmp.Diff(c.want, got.String()); d != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, d)
		}
	}
	if d := cmp.Diff(Rule{"Norm", "layernorm", "norm", "ln"}, block[0]); d != "" {
		t.Errorf("the rules themselves changed:\n%s", d)
	}
	for _, call := range []func(){
		func() { Nest("B.", []string{"b"}, block...) },
		func() { Nest("B", []string{"b", "c."}, block...) },
	} {
		func() {
			defer func() {
				if r := fmt.Sprint(recover()); !strings.Contains(r, "without a dot at its end") {
					t.Errorf("a dot at the end: found %s", r)
				}
			}()
			call()
		}()
	}
}

// TestNestAtTop ties a nested parent to the top of a file.
func TestNestAtTop(t *testing.T) {
	n := Names{Rules: Nest("A", []string{"", "a"}, Rule{"", ".", ". T"})}
	if d := cmp.Diff([][]string{{"norm.weight"}, {"a.norm.weight"}}, n.Tensors("A.Norm.Weight")); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([][]string{{"weight"}, {"a.weight"}}, n.Tensors("A.Weight")); d != "" {
		t.Error(d)
	}
	defer func() {
		if r := fmt.Sprint(recover()); !strings.Contains(r, "expected the path of a parent") {
			t.Errorf("a parameter at the top without a name: found %s", r)
		}
	}()
	n.Tensors("A")
}

// TestTwoTowers saves and loads a file in which two towers have the same table of blocks.
func TestTwoTowers(t *testing.T) {
	tower := Nest("Blocks.{}", []string{"encoder.layers.{}"}, Rule{"Norm", "layer_norm"}, Rule{"QKV", "self_attn.{q,k,v}_proj"})
	names := Names{Rules: append(
		Nest("Text", []string{"text_model"}, tower...),
		Nest("Vision", []string{"vision_model"}, tower...)...)}
	fresh := func() model[*param] {
		return model[*param]{
			{"Text.Blocks.0.Norm.Weight", newParam(2)},
			{"Text.Blocks.0.QKV.Weight", newParam(6, 2)},
			{"Vision.Blocks.0.Norm.Weight", newParam(3)},
			{"Vision.Blocks.0.QKV.Weight", newParam(3, 3)},
		}
	}
	m, loaded := fresh(), fresh()
	for i := range m {
		for j := range m[i].p.values {
			m[i].p.values[j] = float32(10*i + j)
		}
	}
	f := encoded(t, Entries(&names, m.all()), WriteOptions{})
	var found []string
	for x := range f.Tensors() {
		found = append(found, fmt.Sprint(x.Name, x.Shape))
	}
	want := []string{
		"text_model.encoder.layers.0.layer_norm.weight[2]",
		"text_model.encoder.layers.0.self_attn.k_proj.weight[2 2]",
		"text_model.encoder.layers.0.self_attn.q_proj.weight[2 2]",
		"text_model.encoder.layers.0.self_attn.v_proj.weight[2 2]",
		"vision_model.encoder.layers.0.layer_norm.weight[3]",
		"vision_model.encoder.layers.0.self_attn.k_proj.weight[1 3]",
		"vision_model.encoder.layers.0.self_attn.q_proj.weight[1 3]",
		"vision_model.encoder.layers.0.self_attn.v_proj.weight[1 3]",
	}
	if d := cmp.Diff(want, found); d != "" {
		t.Error(d)
	}
	if _, err := Load(f, &names, loaded.all(), LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	for i := range m {
		if d := cmp.Diff(m[i].p.values, loaded[i].p.values); d != "" {
			t.Errorf("%s: %s", m[i].path, d)
		}
	}
}

// TestStatistics reads the running statistics of a batch normalization under PyTorch's names, and lists these when
// they are missing.
func TestStatistics(t *testing.T) {
	names := Names{Rules: []Rule{{"Layers.{}.{}.Norm", "layer{+1}.{}.bn", "stages.{}.blocks.{}.bn"}}}
	norm := func() model[*param] {
		return model[*param]{{"Layers.0.3.Norm.Mean", newParam(2)}, {"Layers.0.3.Norm.Variance", newParam(2)}}
	}
	m := norm()
	f := encoded(t, []Entry{
		{Name: "layer1.3.bn.running_mean", Shape: []int{2}, Floats: []float32{1, 2}},
		{Name: "stages.0.blocks.3.bn.running_var", Shape: []int{2}, Floats: []float32{3, 4}},
		{Name: "layer1.3.bn.num_batches_tracked", Ints: []int64{7}, DType: I64},
		{Name: "num_batches_tracked", Ints: []int64{7}, DType: I64},
	}, WriteOptions{})
	if _, err := Load(f, &names, m.all(), LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([][]float32{{1, 2}, {3, 4}}, [][]float32{m[0].p.values, m[1].p.values}); d != "" {
		t.Error(d)
	}
	_, err := Load(fileOf(t, map[string][]int{"bn.my_num_batches_tracked": {}}), &names, m.all(), LoadOptions{})
	const want = `checkpoint: memory.safetensors does not fit the model: 2 missing, 1 unexpected, 0 of another shape or type
	missing: Layers.0.3.Norm.Mean (as layer1.3.bn.running_mean or stages.0.blocks.3.bn.running_mean)
	missing: Layers.0.3.Norm.Variance (as layer1.3.bn.running_var or stages.0.blocks.3.bn.running_var)
	unexpected: "bn.my_num_batches_tracked"`
	if fmt.Sprint(err) != want {
		t.Errorf("expected\n%s\nfound\n%v", want, err)
	}
}
