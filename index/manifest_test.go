package index

import (
	"encoding/json"
	"testing"
)

// FuzzManifest gives manifests of any bytes to the parser. One that it takes describes an index that can be written,
// and reads back as it was.
func FuzzManifest(f *testing.F) {
	for _, s := range []string{
		`{"version":1,"dim":3,"type":"int8","metric":"cosine","next":3,"segments":[{"file":"rows-00000000.safetensors","rows":5,"deleted":"deleted-00000002.safetensors"}]}`,
		`{"version":1,"dim":384,"type":"float16","metric":"inner product","next":0,"segments":[]}`,
		`{"version":1,"dim":3,"type":"float32","metric":"cosine","next":1,"segments":[{"file":"rows-00000000.safetensors","rows":1e3}]}`,
		`{"version":1,"Dim":3}`,
		`{"segments":[null,{"file":"../x"}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, o, err := parseManifest(data)
		if err != nil {
			return
		}
		if err := o.check(); err != nil {
			t.Error(err)
		}
		for _, s := range m.Segments {
			if n, ok := fileNumber(s.File, rowsPrefix); !ok || n >= m.Next || s.Rows < 1 {
				t.Errorf("segment %+v of %d files", s, m.Next)
			}
		}
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := parseManifest(text)
		if err != nil {
			t.Fatal(err)
		}
		if second, _ := json.Marshal(again); string(second) != string(text) {
			t.Errorf("read %s, then %s", text, second)
		}
	})
}
