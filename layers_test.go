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

// layers are the packages from the bottom up; one imports only those below its own line. A folder stands for what
// is in it, where that has no line of its own.
var layers = [][]string{
	{"simd/internal"},
	{"simd"},
	{"simd/internal/levels"}, // it prints the levels
	{"autograd"},
	{"autograd/gradcheck"},
	{"checkpoint"},
	{"vision/internal"},
	{"vision"},
	{"nn"},
	{"train"},
	{"models/internal/tower"}, // the names of blocks that vit and mae share
	{"models/vit"},
	{"models/mae"},
	{"hub"},
	{"examples", "bench"},
}

// nested are the folders whose packages may import each other.
var nested = []string{"simd/internal", "examples", "bench"}

// programs may import what they like: charts, progress bars, peers to be measured against.
var programs = []string{"examples", "bench"}

// online are the packages that may touch the network: hub, and the server that its tests ask.
var online = []string{"hub", "internal/test/hubtest"}

// outside is what the library itself imports, apart from the standard library.
var outside = []string{"golang.org/x/sys", "golang.org/x/text", "golang.org/x/image", "github.com/chewxy/math32"}

// TestLayers reads the imports of every Go file, whatever system or architecture it is for, tests apart. Packages in
// internal have no line of their own: what one of them imports counts for each package that imports it.
func TestLayers(t *testing.T) {
	imports := readImports(t)
	if len(imports) < 10 {
		t.Fatalf("found %d packages", len(imports))
	}
	for pkg, direct := range imports {
		own := layer(pkg)
		if own < 0 && pkg != "." && !within(pkg, "internal") {
			t.Errorf("%s has no line in the list of layers", pkg)
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
			if pkg == "." && ours {
				t.Errorf("the root package imports %s; it is a map and holds no code", local)
			}
		}
		if own < 0 {
			continue
		}
		for _, dep := range reached(imports, pkg) {
			if at := layer(dep); at > own || at == own && !withinAny(pkg, nested) {
				t.Errorf("%s imports %s, which is not below it", pkg, dep)
			}
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

// reached returns the packages of the module that pkg imports itself or by way of packages in internal.
func reached(imports map[string]map[string]bool, pkg string) []string {
	seen := map[string]bool{}
	var visit func(pkg string)
	visit = func(pkg string) {
		for dep := range imports[pkg] {
			local, ours := strings.CutPrefix(dep, module+"/")
			if !ours || seen[local] {
				continue
			}
			seen[local] = true
			if within(local, "internal") {
				visit(local)
			}
		}
	}
	visit(pkg)
	return slices.Sorted(maps.Keys(seen))
}

// layer returns the index of the line of a package, the one that names it most closely, or -1 when it has none.
func layer(pkg string) int {
	at, longest := -1, ""
	for i, line := range layers {
		for _, folder := range line {
			if within(pkg, folder) && len(folder) > len(longest) {
				at, longest = i, folder
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
