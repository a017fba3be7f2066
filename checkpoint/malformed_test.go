package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestMalformed(t *testing.T) {
	const a = `"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}`
	for _, c := range []struct {
		name, header string
		data         int // bytes
		want         string
	}{
		{"fine", `{` + a + `}`, 2, ""},
		{"fine, spaced and padded", "{\r\n\t" + a + " }   ", 2, ""},
		{"no tensors", `{}`, 0, ""},
		{"null metadata", `{"__metadata__":null}`, 0, ""}, // as the reference implementation, safetensors for Rust, reads it
		{"null metadata, then others", `{"__metadata__":null,"__metadata__":{}}`, 0, "given twice"},
		{"a word like null", `{"__metadata__":nullx}`, 0, "expected '}', found 'x'"},
		{"metadata list", `{"__metadata__":[]}`, 0, "expected '{', found '['"},
		{"metadata of null", `{"__metadata__":{"k":null}}`, 0, `metadata "k"`},
		{"metadata in other case", `{"__METADATA__":{"k":"1"}}`, 0, `tensor "__METADATA__": key "k" is unknown`},
		{"null tensor", `{"a":null}`, 0, `tensor "a": at byte 5: expected '{', found 'n'`},
		{"dtype in other case", `{"a":{"Dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4, `tensor "a": key "Dtype" is unknown`},
		{"type in other case", `{"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}}`, 4, `unknown type "f32"`},
		{"null shape", `{"a":{"dtype":"F32","shape":null,"data_offsets":[0,4]}}`, 4, "expected '[', found 'n'"},
		{"fraction", `{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}`, 4, "not a non-negative integer"},
		{"half of a pair", `{"\ud83d":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4, "half of a surrogate pair"},
		{"other half", `{"\ude00\ud83d":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4, "half of a surrogate pair"},
		{"half and text", `{"\ud83dx\ude00":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4, "half of a surrogate pair"},
		{"whole pair", `{"\\ud83d \uD83D\uDE00 \ufffd":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4, ""},
		{"no object", `[]`, 0, `does not start with "{"`},
		{"text before", ` {}`, 0, `does not start with "{"`},
		{"text after", `{}x`, 0, "expected the end, found 'x'"},
		{"two objects", `{}{}`, 0, "expected the end"},
		{"cut", `{` + a, 2, "found the end"},
		{"trailing comma", `{` + a + `,}`, 2, `expected '"'`},
		{"a name twice", `{` + a + `,` + a + `}`, 2, "expected data at offset 2"},
		{"an empty name twice", `{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, 0, `tensor "a": name is given twice`},
		{"metadata twice", `{"__metadata__":{},"__metadata__":{}}`, 0, "given twice"},
		{"metadata key twice", `{"__metadata__":{"k":"1","k":"2"}}`, 0, `metadata "k" is given twice`},
		{"metadata number", `{"__metadata__":{"k":1}}`, 0, `metadata "k"`},
		{"unknown type", `{"a":{"dtype":"F31","shape":[2],"data_offsets":[0,2]}}`, 2, `tensor "a": unknown type "F31"`},
		{"invalid type", `{"a":{"dtype":"invalid","shape":[2],"data_offsets":[0,0]}}`, 0, `unknown type`},
		{"lower case type", `{"a":{"dtype":"u8","shape":[2],"data_offsets":[0,2]}}`, 2, `unknown type`},
		{"type twice", `{"a":{"dtype":"U8","dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 2, `key "dtype" is unknown or given twice`},
		{"shape twice", `{"a":{"dtype":"U8","shape":[],"shape":[2],"data_offsets":[0,2]}}`, 2, `key "shape" is unknown or given twice`},
		{"unknown key", `{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2],"stride":[1]}}`, 2, `key "stride"`},
		{"no type", `{"a":{"shape":[2],"data_offsets":[0,2]}}`, 2, "expected dtype, shape and two data_offsets"},
		{"no shape", `{"a":{"dtype":"U8","data_offsets":[0,2]}}`, 2, "expected dtype, shape"},
		{"no offsets", `{"a":{"dtype":"U8","shape":[2]}}`, 2, "expected dtype, shape"},
		{"one offset", `{"a":{"dtype":"U8","shape":[2],"data_offsets":[0]}}`, 2, "expected dtype, shape"},
		{"three offsets", `{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2,2]}}`, 2, "more than 2 numbers"},
		{"negative", `{"a":{"dtype":"U8","shape":[-2],"data_offsets":[0,2]}}`, 2, "not a non-negative integer"},
		{"fraction", `{"a":{"dtype":"U8","shape":[2.0],"data_offsets":[0,2]}}`, 2, "not a non-negative integer"},
		{"exponent", `{"a":{"dtype":"U8","shape":[2e0],"data_offsets":[0,2]}}`, 2, "not a non-negative integer"},
		{"leading zero", `{"a":{"dtype":"U8","shape":[02],"data_offsets":[0,2]}}`, 2, "not a non-negative integer"},
		{"huge number", `{"a":{"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,2]}}`, 2, "not a non-negative integer"},
		{"beyond int64", `{"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,2]}}`, 2, "not a non-negative integer"},
		{"product overflows", `{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0, "overflows"},
		{"bytes overflow", `{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}`, 0, "overflows"},
		{"zero hides overflow", `{"a":{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}}`, 0, "overflows"},
		{"nested shape", `{"a":{"dtype":"U8","shape":[[2]],"data_offsets":[0,2]}}`, 2, "not a non-negative integer"},
		{"rank 65", `{"a":{"dtype":"U8","shape":[` + strings.Repeat("1,", 64) + `1],"data_offsets":[0,1]}}`, 1, "more than 64 numbers"},
		{"rank 64", `{"a":{"dtype":"U8","shape":[` + strings.Repeat("1,", 63) + `1],"data_offsets":[0,1]}}`, 1, ""},
		{"offsets backwards", `{"a":{"dtype":"U8","shape":[2],"data_offsets":[2,0]}}`, 2, "expected offsets within the 2 bytes of data, found [2, 0)"},
		{"offsets beyond", `{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}`, 2, "found [0, 3)"},
		{"wrong size", `{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,2]}}`, 2, "expected 4 bytes for F16 [2], found 2"},
		{"overlap", `{` + a + `,"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3, `tensor "b": expected data at offset 2, where the previous tensor ends, found 1`},
		{"hole", `{` + a + `,"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}}`, 5, "found 3"},
		{"hole first", `{"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3, "expected data at offset 0"},
		{"data left over", `{` + a + `}`, 3, "expected 2 bytes of data, found 3"},
		{"control character", "{\"a\x01\":{}}", 0, "control character"},
		{"bad escape", `{"a\x":{}}`, 0, "invalid character"},
		{"bad UTF-8", "{\"a\xff\":{}}", 0, "not valid UTF-8"},
		{"endless string", `{"a`, 0, "string does not end"},
		{"endless escape", `{"a\`, 0, "string does not end"},
		{"deep", `{"a":` + strings.Repeat("[", 100_000), 0, "expected '{'"},
		{"deep entry", `{"a":{"x":` + strings.Repeat(`{"x":`, 100_000), 0, `key "x"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := safetensors(c.header, make([]byte, c.data))
			bounded(t, len(data), func() {
				_, err := Parse("file.safetensors", data, OpenOptions{})
				checkMalformed(t, err, c.want)
			})
		})
	}
}

func checkMalformed(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	var format *FormatError
	if !errors.As(err, &format) {
		t.Fatalf("expected a FormatError, found %v", err)
	}
	if strings.Contains(err.Error(), "%!") {
		t.Errorf("found a mistake of formatting in %q", err)
	}
	if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), format.File) || format.File == "" {
		t.Errorf("expected the file's name and %q in %q", want, err)
	}
}

func TestHeaderLength(t *testing.T) {
	for _, n := range []uint64{3, 1 << 20, 1 << 31, 1 << 40, 1 << 63, math.MaxUint64, math.MaxUint64 - 7} {
		b := append(binary.LittleEndian.AppendUint64(nil, n), "{}"...)
		_, err := Parse("x", b, OpenOptions{})
		checkMalformed(t, err, "goes past the end of the file")
	}
	for n := range 8 {
		_, err := Parse("x", make([]byte, n), OpenOptions{})
		checkMalformed(t, err, "expected at least 8 bytes")
	}
	_, err := Parse("x", make([]byte, 8), OpenOptions{})
	checkMalformed(t, err, "does not start with")
}

// TestCut cuts a file at every sixteenth of its length, and at every byte near its start.
func TestCut(t *testing.T) {
	data, err := os.ReadFile("testdata/types.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	cuts := []int{len(data) - 1}
	for i := range 16 {
		cuts = append(cuts, i*len(data)/16)
	}
	for i := range 300 {
		cuts = append(cuts, i)
	}
	for _, n := range cuts {
		if _, err := Parse("x", data[:n], OpenOptions{}); err == nil {
			t.Errorf("cut at %d of %d: expected an error", n, len(data))
		}
	}
}

// use reads everything a File offers; it must not panic for any file that opened.
func use(f *File) {
	for x := range f.Tensors() {
		if x.DType.IsFloat() {
			_ = x.Floats(make([]float32, x.Len()))
		}
		if x.DType.IsInt() {
			_ = x.Ints(make([]int64, x.Len()))
		}
		x.View()
		x.Bytes()
	}
	f.Parts()
	f.Tied()
	for range f.MetadataKeys() {
	}
	var entries []Entry
	for x := range f.Tensors() {
		entries = append(entries, x.Entry())
	}
	// A name that safetensors cannot have is the one thing that keeps a tensor from being written.
	if err := Encode(io.Discard, entries, WriteOptions{}); err != nil && !strings.Contains(err.Error(), ": name is ") {
		panic(err)
	}
}

// TestFlippedBits flips each bit of the header in turn: a flip gives an error or a readable file.
func TestFlippedBits(t *testing.T) {
	data, err := os.ReadFile("testdata/timm.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	end := prefixSize + int(binary.LittleEndian.Uint64(data))
	refused := 0
	for i := range end * 8 {
		data[i/8] ^= 1 << (i % 8)
		if f, err := Parse("x", data, OpenOptions{}); err == nil {
			use(f)
		} else {
			refused++
		}
		data[i/8] ^= 1 << (i % 8)
	}
	if refused < end*8/3 { // the rest falls into names and metadata
		t.Errorf("only %d of %d flips were refused", refused, end*8)
	}
}

// TestNoise replaces runs of bytes.
func TestNoise(t *testing.T) {
	data, err := os.ReadFile("testdata/timm.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		bad := append([]byte(nil), data...)
		for range 1 + r.IntN(8) {
			bad[r.IntN(len(bad))] = byte(r.Uint32())
		}
		if f, err := Parse("x", bad, OpenOptions{}); err == nil {
			use(f)
		}
	}
}

// TestMemory opens a file that is all header, and expects memory of a small multiple of its size.
func TestMemory(t *testing.T) {
	var b strings.Builder
	for i := range 20_000 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + string(rune('a'+i%26)) + strings.Repeat("x", i%7))
		b.WriteString(string(rune(0x4e00 + i)))
		b.WriteString(`":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`)
	}
	data := safetensors("{"+b.String()+"}", nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := Parse("x", data, OpenOptions{}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if total, limit := after.TotalAlloc-before.TotalAlloc, uint64(20*len(data)); total > limit {
		t.Errorf("a file of %d bytes took %d", len(data), total)
	}
}

func TestMalformedIndex(t *testing.T) {
	good, err := os.ReadFile("testdata/timm.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, index, want string }{
		{"fine", `{"metadata":{"total_size":1.5e3,"deep":[{"a":null}]},"weight_map":{"head.weight":"good.safetensors"}}`, ""},
		{"empty", `{"weight_map":{}}`, ""},
		{"no map", `{"metadata":{}}`, `expected the key "weight_map"`},
		{"null map", `{"weight_map":null}`, "expected '{', found 'n'"},
		{"map in other case", `{"Weight_Map":{"head.weight":"good.safetensors"}}`, `expected the key "weight_map"`},
		{"null shard", `{"weight_map":{"head.weight":null}}`, `expected '"'`},
		{"metadata null", `{"metadata":null,"weight_map":{"head.weight":"good.safetensors"}}`, ""},
		{"map twice", `{"weight_map":{},"weight_map":{}}`, "given twice"},
		{"list", `[]`, "expected '{'"},
		{"number", `{"weight_map":{"x":1}}`, `expected '"'`},
		{"nothing", ``, "found the end"},
		{"after", `{"weight_map":{}} 1`, "expected the end"},
		{"tensor twice", `{"weight_map":{"head.weight":"good.safetensors","head.weight":"good.safetensors"}}`, "given twice"},
		{"not in shard", `{"weight_map":{"x":"good.safetensors"}}`, `tensor "x": expected in shard "good.safetensors"`},
		{"absolute", `{"weight_map":{"x":"/etc/passwd"}}`, "inside the folder"},
		{"parent", `{"weight_map":{"x":"../good.safetensors"}}`, "inside the folder"},
		{"inner parent", `{"weight_map":{"x":"a/../../good.safetensors"}}`, "inside the folder"},
		{"dot", `{"weight_map":{"x":"./good.safetensors"}}`, "inside the folder"},
		{"backslash", `{"weight_map":{"x":"..\\good.safetensors"}}`, "inside the folder"},
		{"drive", `{"weight_map":{"x":"C:good.safetensors"}}`, "inside the folder"},
		{"empty name", `{"weight_map":{"x":""}}`, "inside the folder"},
		{"deep", `{"metadata":` + strings.Repeat("[", 1_000_000) + `}`, "nested more than 64 deep"},
		{"unbalanced", `{"metadata":[}],"weight_map":{}}`, "not valid JSON"},
		{"bad word", `{"metadata":nul,"weight_map":{}}`, "not valid JSON"},
		{"colon", `{"metadata"::,"weight_map":{}}`, "expected a value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fsys := fstest.MapFS{"m/" + IndexName: {Data: []byte(c.index)}, "m/good.safetensors": {Data: good}, "good.safetensors": {Data: good}}
			bounded(t, len(c.index), func() {
				_, err := OpenFS(fsys, "m/"+IndexName, OpenOptions{})
				checkMalformed(t, err, c.want)
			})
		})
	}
	fsys := fstest.MapFS{IndexName: {Data: []byte(`{"weight_map":{"x":"bad"}}`)}, "bad": {Data: good[:40]}}
	_, err = OpenFS(fsys, IndexName, OpenOptions{})
	checkMalformed(t, err, "bad: header of")
}

// FuzzParse makes files of a header and a number of data bytes, so that the length in front is right.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"timm", "hub"} {
		data, err := os.ReadFile("testdata/" + name + ".safetensors")
		if err != nil {
			f.Fatal(err)
		}
		end := prefixSize + int(binary.LittleEndian.Uint64(data))
		f.Add(string(data[prefixSize:end]), uint16(len(data)-end))
	}
	f.Add(`{"a":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]},"__metadata__":{"k":"\u00e9"}}`, uint16(4))
	f.Add(`{"a":{"dtype":"U64","shape":[],"data_offsets":[0,8]},"b":{"dtype":"BOOL","shape":[0],"data_offsets":[8,8]}}`, uint16(8))
	f.Add(`{}`, uint16(0))
	f.Fuzz(func(t *testing.T, header string, size uint16) {
		data := safetensors(header, make([]byte, size))
		for i := range data[prefixSize+len(header):] {
			data[prefixSize+len(header)+i] = byte(37 * i)
		}
		if file, err := Parse("x", data, OpenOptions{}); err == nil {
			use(file)
		}
	})
}

// FuzzFile makes files of any bytes.
func FuzzFile(f *testing.F) {
	for _, name := range []string{"types", "timm"} {
		data, err := os.ReadFile("testdata/" + name + ".safetensors")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(safetensors(`{}`, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		if file, err := Parse("x", data, OpenOptions{}); err == nil {
			use(file)
		}
	})
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"metadata":{"total_size":1.5e3,"deep":[{"a":null}]},"weight_map":{"head.weight":"good.safetensors"}}`))
	f.Add([]byte(`{"metadata":[[[-1,true,"\""]]],"weight_map":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) { _, _ = parseIndex(data) })
}

// bounded expects that f, which reads a file of the given size, ends soon and allocates a small multiple of the size.
func bounded(t *testing.T, size int, f func()) {
	t.Helper()
	if total, limit := spent(t, f), uint64(20*size+64<<10); total > limit {
		t.Errorf("a file of %d bytes took %d", size, total)
	}
}

// tooLong is far longer than refusing a file takes on a busy machine: milliseconds.
const tooLong = 10 * time.Second

// spent expects that f ends soon, and returns the bytes that it allocated.
func spent(t *testing.T, f func()) uint64 {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	f()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if took > tooLong {
		t.Errorf("took %v", took)
	}
	return after.TotalAlloc - before.TotalAlloc
}

// TestLargeMalformed reads megabytes that could take much time or memory.
func TestLargeMalformed(t *testing.T) {
	many := func(n int, piece func(i int) string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(piece(i))
		}
		return b.String()
	}
	n := 1 << 21
	if testing.Short() {
		n >>= 4
	}
	for name, header := range map[string]string{
		"brackets":       `{"a":` + strings.Repeat("[", n),
		"braces":         `{"a":` + strings.Repeat(`{"dtype":`, n/8),
		"metadata deep":  `{"__metadata__":{"a":` + strings.Repeat("[", n),
		"a long shape":   `{"a":{"dtype":"U8","shape":[` + strings.Repeat("1,", n) + `1],"data_offsets":[0,1]}}`,
		"a long number":  `{"a":{"dtype":"U8","shape":[` + strings.Repeat("1", n) + `],"data_offsets":[0,1]}}`,
		"a long name":    `{"` + strings.Repeat("a", n) + `":{"dtype":"F99"}}`,
		"escapes":        `{"` + strings.Repeat(`\u0061`, n/6) + `":{"dtype":"F99"}}`,
		"spaces":         `{` + strings.Repeat(" ", n),
		"commas":         `{` + strings.Repeat(",", n),
		"equal names":    `{` + many(n/50, func(int) string { return `"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}` }) + `}`,
		"equal metadata": `{"__metadata__":{` + many(n/8, func(int) string { return `"a":"b"` }) + `}}`,
		"overlaps":       `{` + many(n/60, func(i int) string { return fmt.Sprintf(`"%d":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}`, i) }) + `}`,
		"many and no data": `{` + many(n/60, func(i int) string {
			return fmt.Sprintf(`"%d":{"dtype":"U8","shape":[1],"data_offsets":[%d,%d]}`, i, i, i+1)
		}) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			data := safetensors(header, make([]byte, 8))
			bounded(t, len(data), func() {
				_, err := Parse("x", data, OpenOptions{})
				checkMalformed(t, err, "x")
			})
		})
	}
	for name, index := range map[string]string{
		"brackets":     `{"metadata":` + strings.Repeat("[", n),
		"many missing": `{"weight_map":{` + many(n/40, func(i int) string { return fmt.Sprintf(`"%d":"%d.safetensors"`, i, i) }) + `}}`,
		"one missing":  `{"weight_map":{` + many(n/40, func(i int) string { return fmt.Sprintf(`"%d":"none.safetensors"`, i) }) + `}}`,
		"not in it":    `{"weight_map":{` + many(n/40, func(i int) string { return fmt.Sprintf(`"%d":"empty.safetensors"`, i) }) + `}}`,
	} {
		t.Run("index, "+name, func(t *testing.T) {
			fsys := fstest.MapFS{IndexName: {Data: []byte(index)}, "empty.safetensors": {Data: safetensors("{}", nil)}}
			bounded(t, len(index), func() {
				if _, err := OpenFS(fsys, IndexName, OpenOptions{}); err == nil {
					t.Error("expected an error")
				}
			})
		})
	}
}

// TestHoles opens files of a terabyte that take no room on the disk.
func TestHoles(t *testing.T) {
	for _, name := range []string{"model.safetensors", "model.safetensors.index.json", "model.pth"} {
		path := filepath.Join(t.TempDir(), name)
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		err = f.Truncate(1 << 40)
		f.Close()
		if err != nil {
			t.Skipf("needs a file system of files with holes: %v", err)
		}
		for _, opts := range []OpenOptions{{}, {Unmapped: true}} {
			bounded(t, 0, func() {
				_, err := Open(path, opts)
				checkMalformed(t, err, name)
			})
		}
	}
}
