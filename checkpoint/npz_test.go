package checkpoint

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"
)

// npy is an entry of an .npz file: a header and elements.
func npy(descr, order, shape, elements string) string {
	header := "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': (" + shape + "), }\n"
	length := binary.LittleEndian.AppendUint16(nil, uint16(len(header)))
	return npyMagic + "\x01\x00" + string(length) + header + elements
}

func floats32(values ...float32) string {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return string(b)
}

// TestNumpy reads arrays that are stored and deflated, by rows and by columns.
func TestNumpy(t *testing.T) {
	for _, method := range []uint16{0, 8} {
		f, err := Parse("x.npz", zipped(method, [][2]string{
			{"a/kernel.npy", npy("<f4", "False", "2, 3", floats32(1, 2, 3, 4, 5, 6))},
			{"a/turned.npy", npy("<f4", "True", "2, 3", floats32(1, 4, 2, 5, 3, 6))},
			{"half.npy", npy("|V2", "False", "1,", "\x80\x3f")},
			{"step.npy", npy("<i4", "False", "", "\x07\x00\x00\x00")},
			{"notes.txt", "not an array"},
		}, nil), OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if names := slices.Collect(f.Names()); !slices.Equal(names, []string{"a/kernel", "a/turned", "half", "step"}) {
			t.Errorf("found %q", names)
		}
		for name, want := range map[string][]float32{"a/kernel": {1, 2, 3, 4, 5, 6}, "a/turned": {1, 2, 3, 4, 5, 6}, "half": {1}} {
			x, _ := f.Tensor(name)
			got := make([]float32, x.Len())
			if err := x.Floats(got); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: found %v, %v", name, got, err)
			}
		}
		if parts := f.Parts(); len(parts) != 1 || parts[0].Format != NumPy || parts[0].Name != "x.npz" {
			t.Errorf("found the parts %+v", parts)
		}
		if x, _ := f.Tensor("step"); len(x.Shape) != 0 || x.Len() != 1 || x.DType != I32 {
			t.Errorf("found %+v", x)
		}
	}
}

// TestBadNumpy expects an error that names the array.
func TestBadNumpy(t *testing.T) {
	for want, entry := range map[string]string{
		"expected a NumPy array":         "hello",
		`type "|O8" are unsupported`:     npy("|O8", "False", "1,", "12345678"),
		`type ">f4" are unsupported`:     npy(">f4", "False", "1,", "1234"),
		"expected 2 elements of 4 bytes": npy("<f4", "False", "2,", "1234"),
		"more elements than":             npy("<f4", "False", "9223372036854775807, 9", "1234"),
		"is too large":                   npy("<f4", "False", "0, 4611686018427387904, 4611686018427387904", ""),
		"expected a shape":               npy("<f4", "False", "1 2", "1234"),
		"expected the header":            npy("<f4", "Maybe", "1,", "1234"),
		"more than the array has":        npyMagic + "\x02\x00\xff\xff\xff\xff    ",
	} {
		_, err := Parse("x.npz", zipped(0, [][2]string{{"w.npy", entry}}, nil), OpenOptions{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"w"`) {
			t.Errorf("expected %q, found %v", want, err)
		}
	}
	_, err := Parse("x.npz", zipped(0, [][2]string{{"w.npy", npy("<f4", "False", "1,", "1234")}}, nil), OpenOptions{Root: []string{"model"}})
	if err == nil || !strings.Contains(err.Error(), "no roots") {
		t.Errorf("a root: found %v", err)
	}
}

// FuzzNumpy makes archives whose only array is fuzzed.
func FuzzNumpy(f *testing.F) {
	f.Add(npy("<f4", "False", "2, 1", "12345678"), false)
	f.Add(npy("<f8", "True", "1, 1", "12345678"), true)
	f.Fuzz(func(t *testing.T, entry string, deflated bool) {
		method := uint16(0)
		if deflated {
			method = 8
		}
		if file, err := Parse("x", zipped(method, [][2]string{{"w.npy", entry}}, nil), OpenOptions{}); err == nil {
			use(file)
		}
	})
}
