package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
)

// TestFamilies loads the same layer under three families of names, and with prefixes there or not.
func TestFamilies(t *testing.T) {
	var want model[*param]
	for _, name := range []string{"timm.safetensors", "hub.safetensors", "memory.safetensors", "sharded/" + IndexName} {
		m := layer()
		report, err := Load(mustOpen(t, "testdata/"+name), &layerNames, m.all(), LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !report.OK() || report.Loaded != len(m) {
			t.Errorf("%s: found %+v", name, report)
		}
		if want == nil {
			want = m
			raw := mustOpen(t, "testdata/timm.safetensors")
			if !slices.Equal(m.at("blocks.0.attn.qkv.weight").values, floatsOf(t, raw, "blocks.0.attn.qkv.weight")) ||
				!slices.Equal(m.at("cls").values, floatsOf(t, raw, "cls_token")) {
				t.Error("timm: other values than the file's")
			}
		}
		for i := range m {
			if !slices.Equal(m[i].p.values, want[i].p.values) {
				t.Errorf("%s: %s differs from timm's", name, m[i].path)
			}
		}
	}
}

// fileOf makes a File of F32 tensors, 0, 1, 2, … in each.
func fileOf(t *testing.T, shapes map[string][]int) *File {
	t.Helper()
	var entries []Entry
	for name, shape := range shapes {
		v := make([]float32, product(shape))
		for i := range v {
			v[i] = float32(i)
		}
		entries = append(entries, Entry{Name: name, Shape: shape, Floats: v})
	}
	return encoded(t, entries, WriteOptions{})
}

func encoded(t *testing.T, entries []Entry, opts WriteOptions) *File {
	t.Helper()
	var b bytes.Buffer
	if err := Encode(&b, entries, opts); err != nil {
		t.Fatal(err)
	}
	f, err := Parse("memory.safetensors", b.Bytes(), OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestMismatch(t *testing.T) {
	f := encoded(t, []Entry{
		{Name: "cls_token", Shape: []int{1, 1, 5}, Floats: make([]float32, 5)},
		{Name: "blocks.0.norm1.weight", Shape: []int{4}, Ints: []int64{1, 2, 3, 4}},
		{Name: "encoder.layer.0.attention.attention.query.weight", Shape: []int{4, 4}, Floats: make([]float32, 16)},
		{Name: "module.classifier.weight", Shape: []int{2, 4}, Floats: []float32{1, 2, 3, 4, 5, 6, 7, 8}},
		{Name: "vit.pooler.dense.weight", Floats: []float32{1}},
		{Name: "pooler.dense.bias", Floats: []float32{1}},
		{Name: "embeddings.position_ids", Floats: []float32{1}},
		{Name: "odd\n", Floats: []float32{1}},
	}, WriteOptions{})
	m := layer()
	_, err := Load(f, &layerNames, m.all(), LoadOptions{})
	var mismatch *MismatchError
	if !errors.As(err, &mismatch) {
		t.Fatalf("expected a MismatchError, found %v", err)
	}
	if m.at("head.weight").values[0] != 0 {
		t.Error("a failed load changed a parameter")
	}
	const want = `checkpoint: memory.safetensors does not fit the model: 3 missing, 2 unexpected, 2 of another shape or type
	missing: blocks.0.norm1.bias (as vit.encoder.layer.0.layernorm_before.bias or vit.layers.0.layernorm_before.bias or blocks.0.norm1.bias)
	missing: blocks.0.attn.qkv.weight (as vit.encoder.layer.0.attention.attention.query.weight + vit.encoder.layer.0.attention.attention.key.weight + vit.encoder.layer.0.attention.attention.value.weight or vit.layers.0.attention.q_proj.weight + vit.layers.0.attention.k_proj.weight + vit.layers.0.attention.v_proj.weight or blocks.0.attn.qkv.weight)
	missing: blocks.0.attn.qkv.bias (as vit.encoder.layer.0.attention.attention.query.bias + vit.encoder.layer.0.attention.attention.key.bias + vit.encoder.layer.0.attention.attention.value.bias or vit.layers.0.attention.q_proj.bias + vit.layers.0.attention.k_proj.bias + vit.layers.0.attention.v_proj.bias or blocks.0.attn.qkv.bias)
	unexpected: "encoder.layer.0.attention.attention.query.weight"
	unexpected: "odd\n"
	cls: expected shape [1 1 4], found [1 1 5] in "cls_token"
	blocks.0.norm1.weight: expected a floating-point type, found I64 in "blocks.0.norm1.weight"`
	if err.Error() != want {
		t.Errorf("expected\n%s\nfound\n%s", want, err)
	}

	report, err := Load(f, &layerNames, m.all(), LoadOptions{Lenient: true})
	if err != nil {
		t.Fatal(err)
	}
	if report.Loaded != 1 || len(report.Missing) != 3 || len(report.Unexpected) != 2 || len(report.Misfits) != 2 {
		t.Errorf("lenient: found %+v", report)
	}
	if !slices.Equal(m.at("head.weight").values, []float32{1, 2, 3, 4, 5, 6, 7, 8}) {
		t.Error("lenient: what fits was not loaded")
	}

	optional := layerNames
	optional.Optional = []string{"blocks.*"}
	_, err = Load(f, &optional, m.all(), LoadOptions{})
	if !errors.As(err, &mismatch) || len(mismatch.Missing) != 0 || len(mismatch.Misfits) != 2 {
		t.Errorf("optional: found %v", err)
	}
}

func TestLayouts(t *testing.T) {
	for _, c := range []struct {
		name  string
		rule  Rule
		shape []int
		file  map[string][]int
		want  []float32
	}{
		{"as it is", Rule{"x", "y"}, []int{2, 3}, map[string][]int{"y": {2, 3}}, []float32{0, 1, 2, 3, 4, 5}},
		{"transposed", Rule{"x", "y T"}, []int{2, 3}, map[string][]int{"y": {3, 2}}, []float32{0, 2, 4, 1, 3, 5}},
		{"joined", Rule{"x", "{a,b}"}, []int{4}, map[string][]int{"a": {2}, "b": {2}}, []float32{0, 1, 0, 1}},
		{"joined with zeros", Rule{"x", "{a,0,b}"}, []int{3, 2}, map[string][]int{"a": {1, 2}, "b": {1, 2}}, []float32{0, 1, 0, 0, 0, 1}},
		{"joined and transposed", Rule{"x", "{a,b} T"}, []int{4, 2}, map[string][]int{"a": {2, 2}, "b": {2, 2}}, []float32{0, 2, 1, 3, 0, 2, 1, 3}},
		{"reshaped", Rule{"x", "y [1,*,2]"}, []int{6}, map[string][]int{"y": {1, 3, 2}}, []float32{0, 1, 2, 3, 4, 5}},
		{"second name", Rule{"x", "{a,b}", "y T"}, []int{2, 1}, map[string][]int{"y": {1, 2}}, []float32{0, 1}},
		{"scalar", Rule{"x", "y"}, []int{}, map[string][]int{"y": {}}, []float32{0}},
		{"empty", Rule{"x", "y"}, []int{0, 3}, map[string][]int{"y": {0, 3}}, []float32{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newParam(c.shape...)
			for i := range p.values {
				p.values[i] = -1
			}
			m := model[*param]{{"x", p}}
			names := &Names{Rules: []Rule{c.rule}}
			f := fileOf(t, c.file)
			if _, err := Load(f, names, m.all(), LoadOptions{}); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(p.values, c.want) {
				t.Errorf("expected %v, found %v", c.want, p.values)
			}
			// Writing under the name that was read gives the file back.
			back := Names{Rules: []Rule{{"x", c.rule[len(c.rule)-1]}}}
			again := encoded(t, Entries(&back, m.all()), WriteOptions{})
			if again.Len() != f.Len() {
				t.Errorf("written: expected %d tensors, found %q", f.Len(), slices.Collect(again.Names()))
			}
			for x := range f.Tensors() {
				y, _ := again.Tensor(x.Name)
				if !slices.Equal(x.Shape, y.Shape) || !bytes.Equal(x.Bytes(), y.Bytes()) {
					t.Errorf("written: %s is %v %v", x.Name, y.Shape, floatsOf(t, again, x.Name))
				}
			}
		})
	}
}

func TestShared(t *testing.T) {
	names := &Names{Rules: []Rule{{"blocks.{}.table", "layer.{}.table", "table"}}}
	m := model[*param]{{"blocks.0.table", newParam(2)}, {"blocks.1.table", newParam(2)}}
	if _, err := Load(fileOf(t, map[string][]int{"table": {2}}), names, m.all(), LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	if m[0].p.values[1] != 1 || m[1].p.values[1] != 1 {
		t.Error("a shared tensor did not reach both layers")
	}
}

func TestExactNameWins(t *testing.T) {
	f := encoded(t, []Entry{
		{Name: "module.x", Shape: []int{1}, Floats: []float32{1}},
		{Name: "x", Shape: []int{1}, Floats: []float32{2}},
	}, WriteOptions{})
	m := model[*param]{{"x", newParam(1)}}
	report, err := Load(f, &Names{Prefixes: []string{"module."}}, m.all(), LoadOptions{Lenient: true})
	if err != nil || m[0].p.values[0] != 2 || !slices.Equal(report.Unexpected, []string{"module.x"}) {
		t.Errorf("found %v, %+v, %v", m[0].p.values, report, err)
	}
}

func TestFit(t *testing.T) {
	f := fileOf(t, map[string][]int{"pos": {1, 2}})
	m := model[*param]{{"pos", newParam(1, 4)}}
	fit := func(param string, x Tensor, want []int) ([]float32, error) {
		if param != "pos" || x.Name != "pos" || fmt.Sprint(want) != "[1 4]" {
			t.Errorf("fit got %s %s %v", param, x.Name, want)
		}
		return []float32{1, 2, 3, 4}, nil
	}
	if _, err := Load(f, nil, m.all(), LoadOptions{Fit: fit}); err != nil || !slices.Equal(m[0].p.values, []float32{1, 2, 3, 4}) {
		t.Errorf("found %v, %v", m[0].p.values, err)
	}
	cannot := errors.New("not a square")
	_, err := Load(f, nil, m.all(), LoadOptions{Fit: func(string, Tensor, []int) ([]float32, error) { return nil, cannot }})
	if !errors.Is(err, cannot) || !strings.Contains(err.Error(), `"pos"`) {
		t.Errorf("found %v", err)
	}
	_, err = Load(f, nil, m.all(), LoadOptions{Fit: func(string, Tensor, []int) ([]float32, error) { return nil, nil }})
	var mismatch *MismatchError
	if !errors.As(err, &mismatch) {
		t.Errorf("found %v", err)
	}
}

// TestChunks copies a mapped tensor of several chunks, in two types.
func TestChunks(t *testing.T) {
	x := newParam(2*copyChunk + 5)
	for i := range x.values {
		x.values[i] = float32(i % 256)
	}
	for _, d := range []DType{F32, BF16} {
		path := filepath.Join(t.TempDir(), "model.safetensors")
		if err := Save(path, nil, model[*param]{{"x", x}}.all(), WriteOptions{DType: d}); err != nil {
			t.Fatal(err)
		}
		y := newParam(x.shape...)
		if _, err := Load(mustOpen(t, path), nil, model[*param]{{"x", y}}.all(), LoadOptions{}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(x.values, y.values) {
			t.Errorf("%s: values changed on the way", d)
		}
	}
}

// TestSaveOverMapped saves to the very file that the parameters are mapped from.
func TestSaveOverMapped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	p := newParam(100_000)
	for i := range p.values {
		p.values[i] = float32(i)
	}
	if err := Save(path, nil, model[*param]{{"x", p}}.all(), WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	m := model[*autograd.Parameter]{{"x", autograd.NewParameter(100_000)}}
	for range 3 {
		if _, err := Load(mustOpen(t, path), nil, m.all(), LoadOptions{Map: true}); err != nil {
			t.Fatal(err)
		}
		if err := Save(path, nil, m.all(), WriteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(m[0].p.Values(), p.values) {
		t.Error("values changed on the way")
	}
}
