package checkpoint

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/fovea-ml/fovea/autograd"
)

// inside reports whether the values lie in the file's memory.
func inside(f *File, v []float32) bool {
	at := uintptr(unsafe.Pointer(unsafe.SliceData(v)))
	for _, s := range f.sources {
		if from := uintptr(unsafe.Pointer(unsafe.SliceData(s.data))); at >= from && at < from+uintptr(len(s.data)) {
			return true
		}
	}
	return false
}

// layerParameters is the model layer, with parameters that read a file in place.
func layerParameters() model[*autograd.Parameter] {
	var m model[*autograd.Parameter]
	for _, e := range layer() {
		m = append(m, struct {
			path string
			p    *autograd.Parameter
		}{e.path, autograd.NewParameter(e.p.shape...)})
	}
	return m
}

// TestInPlace loads one layer in every type, from every kind of memory and with every option. Parameters hold the same
// values, in the type and the memory that the options ask for.
func TestInPlace(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []DType{F32, F16, BF16} {
		path := filepath.Join(dir, d.String()+".safetensors")
		first := layer()
		for i := range first {
			v := first[i].p.values
			for j := range v {
				v[j] = float32(i) + float32(j)/8 - 2 // exact in bfloat16
			}
		}
		if err := Save(path, &layerNames, first.all(), WriteOptions{DType: d}); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		memory, err := Parse("memory", data, OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for name, f := range map[string]*File{"mapped": mustOpen(t, path), "memory": memory, "read": openWith(t, path, OpenOptions{Unmapped: true})} {
			for _, o := range []LoadOptions{{}, {Map: true}, {KeepHalf: true}, {Map: true, KeepHalf: true}} {
				m := layerParameters()
				if _, err := Load(f, &layerNames, m.all(), o); err != nil {
					t.Fatal(err)
				}
				want := autograd.Float32
				if o.KeepHalf && littleEndian {
					want = map[DType]autograd.DType{F32: autograd.Float32, F16: autograd.Float16, BF16: autograd.BFloat16}[d]
				}
				for i, e := range m {
					if e.p.DType() != want {
						t.Errorf("%s %s %+v: %s is %v, expected %v", d, name, o, e.path, e.p.DType(), want)
					}
					if !slices.Equal(e.p.Values(), first[i].p.values) {
						t.Errorf("%s %s %+v: %s is %v", d, name, o, e.path, e.p.Values())
					}
					joined := strings.Contains(e.path, "qkv")
					if got, want := inside(f, e.p.Values()), d == F32 && o.Map && !joined && littleEndian; got != want {
						t.Errorf("%s %s %+v: %s in the file's memory: %v, expected %v", d, name, o, e.path, got, want)
					}
				}
				p := m.at("head.weight")
				p.Update(func(v []float32) { v[0] = 77 }) // copies: the mapping cannot be written to
				if p.DType() != autograd.Float32 || p.Values()[0] != 77 || !slices.Equal(p.Values()[1:], first.at("head.weight").values[1:]) {
					t.Errorf("%s %s %+v: updated %v", d, name, o, p.Values())
				}
				again := filepath.Join(dir, "again.safetensors")
				if err := Save(again, &layerNames, m.all(), WriteOptions{DType: d}); err != nil {
					t.Fatal(err)
				}
				loaded := layer()
				if _, err := Load(mustOpen(t, again), &layerNames, loaded.all(), LoadOptions{}); err != nil {
					t.Fatal(err)
				}
				for i, e := range m {
					if !slices.Equal(loaded[i].p.values, e.p.Values()) {
						t.Errorf("%s %s %+v: %s saved is %v", d, name, o, e.path, loaded[i].p.values)
					}
				}
			}
		}
	}
}

// Half-precision values keep their type in all layouts of a rule. Mixed types are widened.
func TestHalfLayouts(t *testing.T) {
	if !littleEndian {
		t.Skip("values are read in place where the machine stores them as the file does")
	}
	inf := float32(math.Inf(1))
	f := encoded(t, []Entry{
		{Name: "a", Shape: []int{2, 3}, Floats: []float32{1, 2, 3, 4, 5, 6}},
		{Name: "b", Shape: []int{2, 3}, Floats: []float32{7, 8, 9, 10, 11, inf}},
	}, WriteOptions{DType: F16})
	for _, c := range []struct {
		rule  Rule
		shape []int
		want  []float32
	}{
		{Rule{"x", "{a,b}"}, []int{4, 3}, []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, inf}},
		{Rule{"x", "{a,0,b}"}, []int{6, 3}, []float32{1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0, 7, 8, 9, 10, 11, inf}},
		{Rule{"x", "a T"}, []int{3, 2}, []float32{1, 4, 2, 5, 3, 6}},
		{Rule{"x", "{b,a} T"}, []int{6, 2}, []float32{7, 10, 8, 11, 9, inf, 1, 4, 2, 5, 3, 6}},
		{Rule{"x", "a [2,3]"}, []int{6}, []float32{1, 2, 3, 4, 5, 6}},
	} {
		for _, mapping := range []bool{false, true} {
			p := autograd.NewParameter(c.shape...)
			names := &Names{Rules: []Rule{c.rule}, Ignore: []string{"a", "b"}}
			m := model[*autograd.Parameter]{{"x", p}}
			if _, err := Load(f, names, m.all(), LoadOptions{KeepHalf: true, Map: mapping}); err != nil {
				t.Fatal(err)
			}
			if p.DType() != autograd.Float16 || !slices.Equal(p.Values(), c.want) {
				t.Errorf("%v: %v %v, expected %v", c.rule, p.DType(), p.Values(), c.want)
			}
		}
	}

	mixed := &move{parts: []Tensor{
		{DType: F16, src: &source{data: make([]byte, 8)}, end: 2},
		{DType: BF16, src: &source{data: make([]byte, 8)}, end: 2},
	}}
	if mixed.place(autograd.NewParameter(2), LoadOptions{Map: true, KeepHalf: true}) {
		t.Error("two types in one parameter")
	}
	odd := &move{parts: []Tensor{{DType: F32, src: &source{data: make([]byte, 8)}, begin: 1, end: 5}}}
	if odd.place(autograd.NewParameter(1), LoadOptions{Map: true}) {
		t.Error("values that are not aligned, in place")
	}
}

// mappings counts the mappings of a file in the process. ok is false where the system does not tell.
func mappings(path string) (n int, ok bool) {
	maps, err := os.ReadFile("/proc/self/maps")
	return strings.Count(string(maps), path), err == nil
}

// A mapping ends with the last parameter that reads it, and stays if its values were handed out.
func TestMappingGoesWithTheModel(t *testing.T) {
	if _, ok := mappings("x"); !ok {
		t.Skip("this system does not tell what is mapped")
	}
	path, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(path, SafetensorsName)
	if err := Save(path, &layerNames, layer().all(), WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually := func(want int) (n int) {
		for range 100 {
			runtime.GC()
			if n, _ = mappings(path); n == want {
				return n
			}
			time.Sleep(5 * time.Millisecond)
		}
		return n
	}
	m := layerParameters()
	if _, err := Load(mustOpen(t, path), &layerNames, m.all(), LoadOptions{Map: true}); err != nil {
		t.Fatal(err)
	}
	head := m.at("head.weight")
	m = nil
	if n := eventually(0); n != 1 {
		t.Fatalf("%d mappings while a parameter reads the file", n)
	}
	tape := autograd.NewTape(autograd.Options{})
	autograd.Linear(tape.Full(1, 1, 4), head, nil) // inference hands nothing out
	tape = nil
	runtime.KeepAlive(head)
	head = nil
	if n := eventually(0); n != 0 {
		t.Fatalf("%d mappings that nothing refers to", n)
	}

	m = layerParameters()
	if _, err := Load(mustOpen(t, path), &layerNames, m.all(), LoadOptions{Map: true}); err != nil {
		t.Fatal(err)
	}
	values := m.at("head.weight").Values()
	m = nil
	if n := eventually(0); n != 1 || values[0] != 0 {
		t.Errorf("%d mappings of values that are in use", n)
	}
}
