package main

import (
	"os"
	"path/filepath"
	"regexp"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// portableFiles are the files of package portable that package exact repeats.
var portableFiles = []string{"activations.go", "cascade.go", "columns.go", "maps.go", "optim.go", "rows.go", "scalar.go"}

var fmaCall = regexp.MustCompile(`\bfma\(`)

// exactFiles adds package portable with its fma replaced by exact.FMA.
func exactFiles(dir string, m map[string][]byte) error {
	for _, name := range portableFiles {
		b, err := os.ReadFile(filepath.Join(dir, "internal", "portable", name))
		if err != nil {
			return err
		}
		s := fmaCall.ReplaceAllString(string(b), "FMA(")
		s = asm.Header(generator) + "package exact" + s[len("package portable"):]
		m[filepath.Join("internal", "exact", "vec_"+name)] = []byte(s)
	}
	return nil
}
