package checkpoint

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// inWords writes a value as Python would, sets and tuples as lists.
func inWords(b *strings.Builder, v any) {
	switch v := v.(type) {
	case *sequence:
		b.WriteString("[")
		for i, item := range v.items {
			if i > 0 {
				b.WriteString(" ")
			}
			inWords(b, item)
		}
		b.WriteString("]")
	case *dict:
		b.WriteString("{")
		for i, e := range v.entries {
			if i > 0 {
				b.WriteString(" ")
			}
			inWords(b, e.key)
			b.WriteString(":")
			inWords(b, e.value)
		}
		b.WriteString("}")
	case *opaque:
		fmt.Fprintf(b, "<%s>", v.what)
	case string, []byte:
		fmt.Fprintf(b, "%q", v)
	case long:
		fmt.Fprintf(b, "long %x", []byte(v))
	default:
		fmt.Fprint(b, v)
	}
}

// TestPickle reads plain values that Python wrote by each protocol.
func TestPickle(t *testing.T) {
	const want = `{"integers":[0 255 256 -1 65536 -2147483648 2147483648 -1099511627776 4611686018427387904 -9223372036854775808 LONG] ` +
		`"constants":[<nil> true false] "float":1.5 "infinity":-Inf "texts":["" "naïve \\ \n'\"" "🐟"] ` +
		`"bytes":"\x00\xff" "set":[7] "frozen":[8] "ordered":{"k":1} "object":{"x":1} "counter":{"a":2} "default":{"z":0} "path":"/a/b" ` +
		`"shared":[["s"] ["s"]] 3:[] "numpy":[0.5 -3 true 65535 2]}`
	for protocol := range 6 {
		data, err := os.ReadFile(fmt.Sprintf("%s/plain%d.pkl", torchData, protocol))
		if err != nil {
			t.Fatal(err)
		}
		long := "long 0000000000000000000001"
		if protocol < 2 { // by which integers are text, and none are as long
			i := strings.Index(string(data), "1208925819614629174706176")
			data = append(append(append([]byte(nil), data[:i]...), "-5"...), data[i+25:]...)
			long = "-5"
		}
		m := &pickleMachine{b: data, allowed: allowanceFor(len(data))}
		v, err := m.unpickle()
		if err != nil {
			t.Errorf("protocol %d: %v", protocol, err)
			continue
		}
		var b strings.Builder
		inWords(&b, v)
		if got, want := b.String(), strings.Replace(want, "LONG", long, 1); got != want {
			t.Errorf("protocol %d: expected\n%s, found\n%s", protocol, want, got)
		}
		shared, _ := v.(*dict).get("shared")
		if pair := shared.(*sequence).items; pair[0] != pair[1] {
			t.Errorf("protocol %d: expected one list, twice", protocol)
		}
	}
}

// TestPickleText reads strings as Python 2 wrote them, and malformed text.
func TestPickleText(t *testing.T) {
	for _, c := range []struct{ program, want string }{
		{`S'it\'s \\ \x41\n'` + "\n.", `it's \ A` + "\n"},
		{`S"it's"` + "\n.", "it's"},
		{`S'tab\there'` + "\r\n.", "tab\there"},
		{"V\\u00e9\\U0001f41f\\n\n.", "é🐟\\n"},
		{"U\x02ok.", "ok"},
		{"T\x02\x00\x00\x00ok.", "ok"},
		{`S'x` + "\n.", ""},
		{`S'\x4'` + "\n.", ""},
		{`V\uZZZZ` + "\n.", ""},
		{"Sx\n.", ""},
		{"I1x\n.", ""},
		{"F1.x\n.", ""},
		{"g-1\n.", ""},
		{"S'no end'", ""},
	} {
		v, err := (&pickleMachine{b: []byte(c.program), allowed: allowanceFor(0)}).unpickle()
		if c.want == "" {
			if err == nil {
				t.Errorf("%q: expected an error, found %q", c.program, v)
			}
		} else if v != any(c.want) {
			t.Errorf("%q: expected %q, found %q, %v", c.program, c.want, v, err)
		}
	}
}

// FuzzPickle runs any program and walks its result.
func FuzzPickle(f *testing.F) {
	for protocol := range 6 {
		data, err := os.ReadFile(fmt.Sprintf("%s/plain%d.pkl", torchData, protocol))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(state(pickled("FloatStorage", "0", 4, "0", "2 2", "1 2"))))
	f.Add([]byte("ctorch._tensor\n_rebuild_from_type_v2\n(" + "ctorch._utils\n_rebuild_tensor_v3\nctorch\nTensor\n(" +
		"(S'storage'\nctorch.storage\nUntypedStorage\nS'0'\nS'cpu'\nI16\ntQI0\n(I8\nt(I1\ntI00\n(dctorch\nuint16\nt(dtR."))
	f.Add([]byte("(dS'model'\n(dS'x'\nctorch.nn.parameter\nParameter\n(" + pickled("HalfStorage", "1", 8, "0", "2", "3") + "I01\ntRssS'epoch'\nI3\ns."))
	f.Fuzz(func(t *testing.T, program []byte) {
		allowed := allowanceFor(len(program))
		storages := torchStorageSet{allowed: allowed}
		m := &pickleMachine{b: program, allowed: allowed, storage: storages.named, script: len(program)%2 == 0}
		v, err := m.unpickle()
		if err != nil {
			return
		}
		src := &source{name: "x", data: make([]byte, 16)}
		for _, s := range storages.order {
			if s.bytes() == 16 {
				s.src, s.end, s.err = src, 16, nil
			}
		}
		if c, err := torchTensors("x", v, nil, allowed); err == nil {
			use(&File{name: "x", tensors: c.tensors, metadata: c.metadata})
		}
	})
}

// FuzzTorchZip makes archives of a pickle and a storage with right lengths and checksums, and changes a byte around
// them.
func FuzzTorchZip(f *testing.F) {
	data, err := os.ReadFile(torchData + "/nested.pt")
	if err != nil {
		f.Fatal(err)
	}
	file, err := Parse("nested.pt", data, OpenOptions{})
	if err != nil {
		f.Fatal(err)
	}
	z, err := openTorchArchive(file.sources[0], allowanceFor(0))
	if err != nil {
		f.Fatal(err)
	}
	pkl, err := z.read(z.entry("data.pkl"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(pkl), string(bytesOfEntry(f, z, "data/0")), false, uint16(0), byte(0))
	f.Add(state(pickled("FloatStorage", "0", 4, "0", "2 2", "1 2")), strings.Repeat("\x00\x00\x80?", 4), true, uint16(0), byte(0))
	f.Add(state(pickled("LongStorage", "0", 1, "0", "1", "1")), "12345678", false, uint16(20), byte(1))
	f.Fuzz(func(t *testing.T, pickle, storage string, deflated bool, at uint16, flip byte) {
		method := uint16(0)
		if deflated {
			method = 8
		}
		data := zipped(method, [][2]string{{"a/data.pkl", pickle}}, map[string]string{"0": storage})
		data[len(data)-1-int(at)%len(data)] ^= flip
		if file, err := Parse("x", data, OpenOptions{}); err == nil {
			use(file)
		}
	})
}

func bytesOfEntry(f *testing.F, z *torchArchive, name string) []byte {
	b, err := z.read(z.entry(name))
	if err != nil {
		f.Fatal(err)
	}
	return b
}

// FuzzTorchLegacy makes legacy files: the bytes after the magic number and the version are fuzzed.
func FuzzTorchLegacy(f *testing.F) {
	const front = "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.(dS'little_endian'\nI01\ns."
	f.Add(state(pickled("FloatStorage", "0", 2, "0", "2", "1")) + "(lS'0'\na." + "\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80?\x00\x00\x00@")
	data, err := os.ReadFile(torchData + "/legacy4.pt")
	if err != nil {
		f.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "long") // in the description of the system, which ends soon after
	_, rest, _ = strings.Cut(rest, ".")
	f.Add(rest)
	f.Fuzz(func(t *testing.T, rest string) {
		if file, err := Parse("x", []byte(front+rest), OpenOptions{}); err == nil {
			use(file)
		}
	})
}
