package checkpoint

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"
)

// TestUnequalParts saves and loads a parameter in parts of which one is twice as long.
func TestUnequalParts(t *testing.T) {
	names := &Names{Rules: []Rule{{"QKV", "attn.{q,2*kv}"}, {"Bias", "b.{2*0,v}"}}}
	model := func() (map[string]*param, func(yield func(string, *param) bool)) {
		m := map[string]*param{"QKV.Weight": newParam(6, 2), "Bias": newParam(3)}
		return m, func(yield func(string, *param) bool) {
			for _, name := range slices.Sorted(maps.Keys(m)) {
				if !yield(name, m[name]) {
					return
				}
			}
		}
	}
	from, all := model()
	from["QKV.Weight"].Update(func(v []float32) {
		for i := range v {
			v[i] = float32(i)
		}
	})
	from["Bias"].Update(func(v []float32) { v[2] = 7 })
	for _, d := range []DType{F32, F16} {
		path := filepath.Join(t.TempDir(), "x.safetensors")
		if err := Save(path, names, all, WriteOptions{DType: d}); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path, OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string][]int{"attn.q.weight": {2, 2}, "attn.kv.weight": {4, 2}, "b.v": {1}} {
			if got, ok := f.Tensor(name); !ok || !slices.Equal(got.Shape, want) {
				t.Errorf("%s: found %v, expected %v", name, got.Shape, want)
			}
		}
		for _, o := range []LoadOptions{{}, {KeepHalf: true}} {
			to, params := model()
			if _, err := Load(f, names, params, o); err != nil {
				t.Fatal(err)
			}
			for name := range from {
				if got, want := to[name].Values(), from[name].Values(); !slices.Equal(got, want) {
					t.Errorf("%v, %+v: %s: found %v, expected %v", d, o, name, got, want)
				}
			}
		}
	}
	for _, bad := range []string{"a.{0*q,k}", "a.{x*q,k}", "a.{-1*q,k}"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q: no panic", bad)
				}
			}()
			parsePlace(bad, nil, "")
		}()
	}
}
