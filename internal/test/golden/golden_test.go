package golden

import (
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const small = "testdata/small.safetensors"

func TestLoad(t *testing.T) {
	g := Load(t, small)
	if got, want := g.Names(), []string{"half", "ids", "mask", "x"}; !slices.Equal(got, want) {
		t.Errorf("names: expected %q, found %q", want, got)
	}
	x, shape := g.Tensor("x")
	if !slices.Equal(shape, []int{2, 3}) || !slices.Equal(x, []float32{0, 1, 2, 3, 4, 5}) {
		t.Errorf("x: found %v of shape %v", x, shape)
	}
	if h := g.Floats("half"); !slices.Equal(h, []float32{0.5, -2}) {
		t.Errorf("half: found %v", h)
	}
	if ids := g.Ints("ids"); !slices.Equal(ids, []int{3, -1}) {
		t.Errorf("ids: found %v", ids)
	}
	if mask := g.Ints("mask"); !slices.Equal(mask, []int{1, 0}) {
		t.Errorf("mask: found %v", mask)
	}
	if !g.Has("x") || g.Has("y") || g.Metadata("seed") != "1" {
		t.Error("Has or Metadata is wrong")
	}
	x[0] = 9
	if again := g.Floats("x"); again[0] != 0 {
		t.Error("Tensor does not copy")
	}
}

// recorder is a testing.TB that records a failure instead of failing this test.
type recorder struct {
	testing.TB
	said string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.said = "error: " + fmt.Sprintf(format, args...)
}
func (r *recorder) Fatalf(format string, args ...any) {
	r.said = "fatal: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}
func (r *recorder) Skipf(format string, args ...any) {
	r.said = "skip: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}
func (r *recorder) Skip(args ...any) { r.Skipf("%s", fmt.Sprint(args...)) }

// said returns the message that f reported through its testing.TB.
func said(t *testing.T, f func(testing.TB)) string {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	return r.said
}

func TestReports(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		name string
		want string // part of the report, "" for none
		do   func(testing.TB)
	}{
		{"equal", "", func(t testing.TB) { Output(t, "y", []float32{1, nan, inf}, []float32{1, nan, inf}) }},
		{"within", "", func(t testing.TB) { Output(t, "y", []float32{0.00009}, []float32{0}) }},
		{"beyond", "error: y: 1 of 2 values differ by more than 0.0001; worst at index 1: expected 0, found 0.00011",
			func(t testing.TB) { Output(t, "y", []float32{0, 0.00011}, []float32{0, 0}) }},
		{"rms", "", func(t testing.TB) { Output(t, "y", []float32{100, 100.009}, []float32{100, 100}) }},
		{"worst", "worst at index 2", func(t testing.TB) { Output(t, "y", []float32{1, 2, 9, 3}, []float32{0, 0, 0, 0}) }},
		{"infinity does not widen", "index 1", func(t testing.TB) { Output(t, "y", []float32{inf, 1}, []float32{inf, 0}) }},
		{"nan for a number", "index 0: expected 1, found NaN", func(t testing.TB) { Output(t, "y", []float32{nan}, []float32{1}) }},
		{"number for nan", "index 0: expected NaN, found 1", func(t testing.TB) { Output(t, "y", []float32{1}, []float32{nan}) }},
		{"sign of infinity", "index 0", func(t testing.TB) { Output(t, "y", []float32{-inf}, []float32{inf}) }},
		{"length", "expected 2 values, found 1", func(t testing.TB) { Output(t, "y", []float32{1}, []float32{1, 2}) }},
		{"tighter", "index 0", func(t testing.TB) { Within(t, "y", []float32{0.00009}, []float32{0}, 1e-5) }},
		{"gradient", "", func(t testing.TB) { Gradient(t, "dw", []float32{1000.9, 0}, []float32{1000, 0}, 0) }},
		{"gradient of zero", "", func(t testing.TB) { Gradient(t, "dw", []float32{9e-7}, []float32{0}, 1) }},
		{"gradient beyond", "worst at index 1: expected 0, found 1.1", func(t testing.TB) { Gradient(t, "dw", []float32{1000, 1.1}, []float32{1000, 0}, 1) }},
		{"gradient nan", "index 0", func(t testing.TB) { Gradient(t, "dw", []float32{nan}, []float32{1}, 1) }},
		{"gradient norm nan", "index 0", func(t testing.TB) { Gradient(t, "dw", []float32{2}, []float32{1}, math.NaN()) }},
		{"gradient length", "of 0 values", func(t testing.TB) { Gradient(t, "dw", []float32{1}, nil, 1) }},
		{"no file", "fatal: golden:", func(t testing.TB) { Load(t, "testdata/none.safetensors") }},
		{"unsigned", `found no "script"`, func(t testing.TB) { Load(t, "testdata/bare.safetensors") }},
		{"no tensor", `no tensor "z" among`, func(t testing.TB) { Load(t, small).Tensor("z") }},
		{"ints of floats", "expected an integer type, found F32", func(t testing.TB) { Load(t, small).Ints("x") }},
		{"floats of ints", "found I64", func(t testing.TB) { Load(t, small).Floats("ids") }},
		{"no shared data", "skip: needs ../shared/data/none/x, which", func(t testing.TB) { SharedData(t, "none", "x") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := said(t, c.do)
			if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
				t.Errorf("expected %q, found %q", c.want, got)
			}
		})
	}
}

func TestSharedData(t *testing.T) {
	path := SharedData(t, "README.md")
	if filepath.Base(path) != "README.md" {
		t.Errorf("found %s", path)
	}
}

func TestNorm(t *testing.T) {
	if n := Norm([]float32{3, float32(math.NaN())}, []float32{4, float32(math.Inf(-1))}); n != 5 {
		t.Errorf("expected 5, found %v", n)
	}
}
