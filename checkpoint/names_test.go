package checkpoint

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlaces(t *testing.T) {
	n := Names{Rules: []Rule{
		{"blocks.{}.norm", "layer.{}.ln", "h.{}.ln_1"},
		{"blocks.{}.qkv.bias", "l.{}.{q_bias,0,v_bias}", "l.{}.{q,0,v}.bias"},
		{"blocks.{}.qkv", "l.{}.{q,k,v}"},
		{"a.{}.b.{}", "x.{}.y_{}.z"},
		{"proj", "proj T"},
		{"cls", "cls_token [1,1,*]"},
		{"positions", "positions [*,last]"},
		{"table", "shared"},
		{"blocks.{}.table", "l.{}.table", "shared"},
		{"Layers.{}.{}", "layer{+1}.{}", "stages.{}.blocks.{+1}"},
		{"bn", "norm"},
		{"average.Mean", "average"},
	}}
	for _, c := range []struct{ param, want string }{
		{"blocks.3.norm.weight", "layer.3.ln.weight | h.3.ln_1.weight"},
		{"blocks.3.norm", "layer.3.ln | h.3.ln_1"},
		{"blocks.3.norm.Weight", "layer.3.ln.weight | h.3.ln_1.weight"},
		{"blocks.12.qkv.bias", "l.12.q_bias +  + l.12.v_bias | l.12.q.bias +  + l.12.v.bias | l.12.q.bias + l.12.k.bias + l.12.v.bias"},
		{"blocks.12.qkv.weight", "l.12.q.weight + l.12.k.weight + l.12.v.weight"},
		{"a.1.b.20.c.d", "x.1.y_20.z.c.d"},
		{"proj", "proj T"},
		{"cls", "cls_token [1 1 -1]"},
		{"positions", "positions [-1 -2]"},
		{"blocks.0.table", "l.0.table | shared"},
		{"Layers.0.1.Conv1.Weight", "layer1.1.conv1.weight | stages.0.blocks.2.conv1.weight"},
		{"Layers.9.99.Norm.Mean", "layer10.99.norm.running_mean | stages.9.blocks.100.norm.running_mean"},
		{"bn.Mean", "norm.running_mean"},
		{"bn.Variance", "norm.running_var"},
		{"bn.mean", "norm.mean"},
		{"bn.Mean.Weight", "norm.mean.weight"},
		{"average.Mean", "average"},
		// No rule: the parameter's own path.
		{"blocks.x.norm.weight", "blocks.x.norm.weight"},
		{"blocks.-1.norm", "blocks.-1.norm"},
		{"blocks.3.normal", "blocks.3.normal"},
		{"blocks.3", "blocks.3"},
		{"project", "project"},
		{"", ""},
	} {
		var places []string
		for _, p := range n.places(c.param) {
			s := strings.Join(p.parts, " + ")
			if p.transposed {
				s += " T"
			}
			if p.shape != nil {
				s += fmt.Sprint(" ", p.shape)
			}
			places = append(places, s)
		}
		if got := strings.Join(places, " | "); got != c.want {
			t.Errorf("%q: expected %q, found %q", c.param, c.want, got)
		}
	}
}

func TestBadRules(t *testing.T) {
	for _, c := range []struct {
		rule Rule
		want string
	}{
		{Rule{"x"}, "at least one name"},
		{Rule{"x", "y.{}"}, "more {} than in the path"},
		{Rule{"x", "y.{+1}"}, "more {} than in the path"},
		{Rule{"x", "{a,b}.{c,d}"}, "more than one list"},
		{Rule{"x", "{a,b"}, "not closed"},
		{Rule{"x", "{0,0}"}, "a part that is not 0"},
		{Rule{"x", "y transposed"}, "expected T or a shape"},
		{Rule{"x", "y [1,b]"}, "expected a shape"},
		{Rule{"x", "y [*,*]"}, "expected a shape"},
		{Rule{"x", "y [-2]"}, "expected a shape"},
		{Rule{"x", "{a,b} [1]"}, "does not go with a list"},
		{Rule{"x", "y [5,*]"}, "does not hold a parameter of shape [3 4]"},
		{Rule{"x", "{a,b}"}, "is not 2 equal parts"},
	} {
		func() {
			defer func() {
				if r := fmt.Sprint(recover()); !strings.Contains(r, c.want) || !strings.Contains(r, "checkpoint: rule") {
					t.Errorf("%q: expected a panic with %q, found %s", c.rule, c.want, r)
				}
			}()
			n := Names{Rules: []Rule{c.rule}}
			n.places("x")[0].partShape([]int{3, 4}, 0)
		}()
	}
}

func TestPartShape(t *testing.T) {
	for _, c := range []struct {
		name  string
		shape []int
		want  string
	}{
		{"y", []int{3, 4}, "[3 4]"},
		{"y", []int{}, "[]"},
		{"y T", []int{3, 4}, "[4 3]"},
		{"{a,b,c} T", []int{6, 5}, "[5 2]"},
		{"{a,b}", []int{4}, "[2]"},
		{"y [1,1,*]", []int{7}, "[1 1 7]"},
		{"y [*,3,2,2]", []int{5, 12}, "[5 3 2 2]"},
		{"y [0,*]", []int{0}, "[0 0]"},
	} {
		p := parsePlace(c.name, nil, "")
		if got := fmt.Sprint(p.partShape(c.shape, 0)); got != c.want {
			t.Errorf("%q of %v: expected %s, found %s", c.name, c.shape, c.want, got)
		}
	}
}

func TestCanonical(t *testing.T) {
	n := layerNames
	for name, want := range map[string]string{
		"x":                       "x",
		"vit.x":                   "x",
		"module.vit.x":            "x",
		"vit.":                    "vit.",
		"vitx":                    "vitx",
		"a.LayerNorm.gamma":       "a.LayerNorm.weight",
		"LayerNorm.beta":          "LayerNorm.bias",
		"vit.myLayerNorm.gamma":   "myLayerNorm.gamma",
		"a.LayerNorm.gamma.extra": "a.LayerNorm.gamma.extra",
	} {
		if got := n.Canonical(name); got != want {
			t.Errorf("%q: expected %q, found %q", name, want, got)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "a.b", true}, {"a*", "b", false},
		{"*.ids", "x.y.ids", true}, {"*.ids", "ids", false}, {"*.ids", "x.ids.z", false},
		{"a.*.c", "a.b.b.c", true}, {"a.*.c", "a.c", false}, {"a**c", "abc", true}, {"*a*b*", "xaybz", true},
		{"pooler.*", "pooler.dense.weight", true}, {"pooler.*", "xpooler.dense", false}, {"a", "ab", false},
		{strings.Repeat("*a", 50), strings.Repeat("a", 10_000) + "b", false},
	} {
		if got := matchGlob(c.pattern, c.name); got != c.want {
			t.Errorf("%.20q of %.20q: found %v", c.pattern, c.name, got)
		}
	}
}

// TestWriting reads a file under the names of every column and writes it under the chosen one.
func TestWriting(t *testing.T) {
	names := Names{
		Columns: []string{"a", "b"},
		Rules: []Rule{
			{"W.{}", "x.{}.{q,k}", "y.{}", "z.{}"},
			{"V", "v"},
			{"U", "u", ""},
		},
		Prefixes: []string{"m."},
	}
	written := func(n *Names) (all []string) {
		for _, p := range []string{"W.3", "V", "U"} {
			all = append(all, n.places(p)[0].parts...)
		}
		return all
	}
	if d := cmp.Diff([]string{"x.3.q", "x.3.k", "v", "u"}, written(names.Writing("a"))); d != "" {
		t.Error(d)
	}
	b := names.Writing("b")
	if d := cmp.Diff([]string{"y.3", "v", "u"}, written(b)); d != "" {
		t.Error(d)
	}
	var read [][]string
	for _, p := range b.places("W.3") {
		read = append(read, p.parts)
	}
	if d := cmp.Diff([][]string{{"y.3"}, {"x.3.q", "x.3.k"}, {"z.3"}}, read); d != "" {
		t.Error(d)
	}
	defer func() {
		if recover() == nil {
			t.Error("a column that the table lacks did not panic")
		}
	}()
	names.Writing("c")
}

// TestFinder finds a tensor under any of its names.
func TestFinder(t *testing.T) {
	names := Names{Rules: []Rule{{"W.{}", "x.{}.{q,k}", "y.{}"}, {"V", "v"}}, Prefixes: []string{"m."}}
	f := parse(t, Entry{Name: "m.x.3.q", Floats: []float32{1}, Shape: []int{1}}, Entry{Name: "y.4", Floats: []float32{2}, Shape: []int{1}})
	find := names.Finder(f)
	for param, want := range map[string]string{"W.3": "m.x.3.q", "W.4": "y.4", "W.5": "", "V": ""} {
		if got, ok := find(param); got.Name != want || ok != (want != "") {
			t.Errorf("%s: found %q, expected %q", param, got.Name, want)
		}
	}
}

func parse(t *testing.T, entries ...Entry) *File {
	t.Helper()
	var b bytes.Buffer
	if err := Encode(&b, entries, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	f, err := Parse("file", b.Bytes(), OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}
