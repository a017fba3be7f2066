package fovea_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/fovea-ml/fovea"

// layers are the packages from the bottom up; one imports only those on the lines below its own. A new package is entered
// here. A name that ends in "/..." stands for the packages in a folder that have no
// entry of their own.
var layers = [][]string{
	{"internal/atomicfile", "internal/filelock", "internal/peak", "internal/printable", "internal/smallfile", "internal/strictjson"},
	{"simd/internal/asm", "simd/internal/coeff"},
	{"simd/internal/depthgen", "simd/internal/dotgen", "simd/internal/exact", "simd/internal/gemmgen", "simd/internal/portable", "simd/internal/resizegen", "simd/internal/vecgen", "simd/internal/winogen"},
	{"simd"},
	{"simd/internal/levels"}, // it prints the levels
	{"autograd"},
	{"autograd/gradcheck"},
	{"checkpoint"},
	{"data"},
	{"metrics"},
	{"index"},
	{"probe"},
	{"vision/internal/jpeg"},
	{"vision"},
	{"vision/boxes", "vision/draw"},
	{"text/internal/varint"},
	{"text/internal/chars", "text/internal/component", "text/internal/regex", "text/internal/trie"},
	{"text/internal/model", "text/internal/normalize"},
	{"text/internal/ftfy", "text/internal/split", "text/internal/train"},
	{"text"},
	{"serve"},
	{"nn"},
	{"nn/lora", "nn/quant"},
	{"train"},
	{"train/contrast"},
	{"models"}, // the types that all models share
	{"models/internal/boxes", "models/internal/config"}, // checks and sizes
	{"models/internal/tower"},
	{"models/internal/..."},
	{"models/internal/timm"},      // it compares arguments with the tower's sizes
	{"models/internal/template"},  // a model package to copy
	{"models/backbone"},           // convolutional networks
	{"models/bert", "models/vit"}, // the towers
	{"models/mae", "models/clip", "models/detect"},
	{"hub"},
	{"examples/internal/console", "bench/internal/serve", "bench/internal/study"},
	{"examples/internal/boxset", "examples/internal/chart", "examples/internal/describe", "examples/internal/fetch", "examples/internal/imageset", "examples/internal/outdir", "examples/internal/photo", "examples/mae/fashion", "examples/finetune-text/reviews"},
	{"examples/...", "bench/..."},
}

// programs may import what they like: charts, progress bars, peers to be measured against.
var programs = []string{"examples", "bench"}

// online are the packages that may touch the network: hub, the server that its tests ask, and a measurement that is a server.
var online = []string{"hub", "internal/test/hubtest", "bench/serving"}

// outside are the modules that the library itself imports, beside the standard library.
var outside = []string{
	"golang.org/x/sys",         // features of processors, memory mapping, file locks
	"golang.org/x/text",        // Unicode tables
	"golang.org/x/image",       // TIFF, WebP and BMP
	"github.com/chewxy/math32", // functions of package math for float32
}

// TestLayers reads the imports of every Go file, whatever system or architecture it is for, tests apart.
func TestLayers(t *testing.T) {
	imports := readImports(t)
	if len(imports) < 10 {
		t.Fatalf("found %d packages", len(imports))
	}
	for pkg, direct := range imports {
		own := layer(pkg)
		if own < 0 && pkg != "." && !within(pkg, "internal/test") {
			t.Errorf("%s has no line in the list layers of layers_test.go", pkg)
		}
		for _, dep := range slices.Sorted(maps.Keys(direct)) {
			local, ours := strings.CutPrefix(dep, module+"/")
			first, _, _ := strings.Cut(dep, "/")
			standard := !strings.Contains(first, ".")
			if !ours && !standard && !withinAny(pkg, programs) && !withinAny(dep, outside) {
				t.Errorf("%s imports %s, which only programs may", pkg, dep)
			}
			if network := dep == "net" || within(dep, "net") && dep != "net/url" || within(dep, "golang.org/x/net"); network && !withinAny(pkg, online) {
				t.Errorf("%s imports %s; only hub touches the network", pkg, dep)
			}
			if (within(local, "internal/test") || dep == "testing") && !within(pkg, "internal/test") {
				t.Errorf("%s imports %s, which is for tests", pkg, dep)
			}
			if at := layer(local); own >= 0 && ours && at >= own {
				t.Errorf("%s imports %s, which is not below it", pkg, local)
			}
			if pkg == "." && ours {
				t.Errorf("the root package imports %s; it is a map and holds no code", local)
			}
		}
	}
}

// TestLayersExist fails for a line about a package that is gone.
func TestLayersExist(t *testing.T) {
	imports := readImports(t)
	for _, entry := range slices.Concat(layers...) {
		folder, many := strings.CutSuffix(entry, "/...")
		if imports[entry] == nil && !(many && slices.ContainsFunc(slices.Collect(maps.Keys(imports)), func(pkg string) bool { return within(pkg, folder) })) {
			t.Errorf("%s has a line and no package", entry)
		}
	}
}

// readImports returns the import paths of every package of the module, by its folder.
func readImports(t *testing.T) map[string]map[string]bool {
	t.Helper()
	imports := map[string]map[string]bool{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") || isModule(name)):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := path.Dir(filepath.ToSlash(name))
		if imports[pkg] == nil {
			imports[pkg] = map[string]bool{}
		}
		for _, spec := range file.Imports {
			dep, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports[pkg][dep] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return imports
}

func isModule(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	return err == nil
}

// layer returns the index of the line of a package, the one that names it most closely, or -1 when it has none.
func layer(pkg string) int {
	at, longest := -1, ""
	for i, line := range layers {
		for _, entry := range line {
			folder, many := strings.CutSuffix(entry, "/...")
			if (pkg == entry || many && within(pkg, folder)) && len(entry) > len(longest) {
				at, longest = i, entry
			}
		}
	}
	return at
}

// within reports whether a package is in a folder or is the folder.
func within(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }

func withinAny(pkg string, folders []string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool { return within(pkg, folder) })
}
