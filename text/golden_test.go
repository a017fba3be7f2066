package text

import (
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// referenceFile is the content of reference.json.gz, which testdata/gen/text_goldens.py writes.
type referenceFile struct {
	Script     string
	Seed       string
	Versions   map[string]string
	Tokenizers map[string]struct {
		JSON  json.RawMessage
		Cases []referenceCase
	}
	Folders []struct {
		Files map[string]string
		Case  folderCase
	}
	Siglip []struct {
		Files map[string]string
		Cases []siglipCase
	}
}

func readReference(t testing.TB) *referenceFile {
	t.Helper()
	f, err := os.Open("testdata/reference.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := new(referenceFile)
	if err := json.NewDecoder(z).Decode(r); err != nil {
		t.Fatal(err)
	}
	if len(r.Tokenizers) < 20 || len(r.Folders) < 30 {
		t.Fatalf("found %d tokenizers and %d folders", len(r.Tokenizers), len(r.Folders))
	}
	return r
}

// fsOf returns the files of a folder. Those of SentencePiece are in hexadecimal digits.
func fsOf(t testing.TB, files map[string]string) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	for name, content := range files {
		data := []byte(content)
		if strings.HasSuffix(name, ".model") {
			var err error
			if data, err = hex.DecodeString(content); err != nil {
				t.Fatal(err)
			}
		}
		out[name] = &fstest.MapFile{Data: data}
	}
	return out
}

// TestReference compares with tokenizers and AutoTokenizer without Python.
func TestReference(t *testing.T) {
	r := readReference(t)
	for name, c := range r.Tokenizers {
		tok, err := Parse(c.JSON)
		if err != nil {
			t.Fatal(name, err)
		}
		for i := range c.Cases {
			if d := difference(tok, &c.Cases[i]); d != "" {
				t.Errorf("%s, case %d: %s", name, i, d)
			}
		}
	}
	opened := map[string]int{}
	for i, f := range r.Folders {
		tok, err := Open(fsOf(t, f.Files), OpenOptions{})
		if (err != nil) != (f.Case.Error != "") {
			t.Errorf("folder %d: %v, expected error %q", i, err, f.Case.Error)
		}
		if err == nil {
			opened[f.Case.Class]++
			compareFolder(t, i, tok, &f.Case)
		}
	}
	if len(opened) < 10 {
		t.Errorf("opened %v", opened)
	}
	if len(r.Siglip) < 3 {
		t.Errorf("found %d folders of SigLIP", len(r.Siglip))
	}
	for i, f := range r.Siglip {
		tok, err := Open(fsOf(t, f.Files), OpenOptions{})
		if err != nil {
			t.Fatalf("SigLIP %d: %v", i, err)
		}
		for _, c := range f.Cases {
			checkSiglip(t, tok, &c)
		}
	}
}
