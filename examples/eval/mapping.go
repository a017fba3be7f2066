package main

import (
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/examples/internal/console"
)

// synsets are the WordNet identifiers of ImageNet-1k's classes, in the order of classifiers (testdata/gen/imagenet.py).
//
//go:embed synsets.txt
var synsets string

var isSynset = regexp.MustCompile(`^n\d{8}$`)

// readMap reads the lines FOLDER,LABEL of -map, where LABEL is the name or the number of a class.
func readMap(name string) (map[string]string, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("-map: %w", err)
	}
	defer f.Close()
	in := csv.NewReader(f)
	in.FieldsPerRecord, in.TrimLeadingSpace = 2, true
	rows, err := in.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("-map %s: expected lines of a folder, a comma and a class: %w", name, err)
	}
	out := map[string]string{}
	for i, row := range rows {
		if _, twice := out[row[0]]; twice {
			return nil, fmt.Errorf("-map %s: line %d: the folder %q stands there twice", name, i+1, row[0])
		}
		out[row[0]] = strings.TrimSpace(row[1])
	}
	return out, nil
}

// A matcher finds the classes of a model by the names of folders.
type matcher struct {
	labels  []string
	byName  map[string][]int
	synsets []string // of a model with ImageNet's classes
	numbers bool     // all folders are numbers
}

// The ways of matching folders, in the order in which they are tried.
const (
	byMap    = "-map"
	byName   = "name"
	bySynset = "WordNet identifier"
	byNumber = "number"
)

// errNone: no class has the name.
var errNone = errors.New("no class of the model")

// matchClasses returns the class of the model for each folder: what given says, or the class with the folder's name. Labels such
// as "tench, Tinca tinca" have several names. WordNet identifiers are those of ImageNet's 1,000 classes. by says how each was found.
func matchClasses(folders, labels []string, given map[string]string) (classes []int, by []string, err error) {
	m := matcher{labels: labels, byName: map[string][]int{}, numbers: true}
	for i, label := range labels {
		names := []string{plain(label)}
		for _, part := range strings.Split(label, ",") {
			if p := plain(part); !slices.Contains(names, p) {
				names = append(names, p)
			}
		}
		for _, n := range names {
			m.byName[n] = append(m.byName[n], i)
		}
	}
	if list := strings.Fields(synsets); len(labels) == len(list) {
		m.synsets = list
	}
	for _, f := range folders {
		_, err := strconv.Atoi(f)
		m.numbers = m.numbers && err == nil
	}
	for f := range given {
		if !slices.Contains(folders, f) {
			return nil, nil, fmt.Errorf("-map: there is no folder %q in -data", f)
		}
	}
	classes, by = make([]int, len(folders)), make([]string, len(folders))
	var unknown []string
	for i, f := range folders {
		var err error
		if label, ok := given[f]; ok {
			by[i] = byMap
			if classes[i], err = m.named(label); errors.Is(err, errNone) && m.number(label) >= 0 {
				classes[i], err = m.number(label), nil
			}
		} else {
			classes[i], by[i], err = m.folder(f)
		}
		switch {
		case errors.Is(err, errNone):
			unknown = append(unknown, strconv.Quote(f))
		case err != nil:
			return nil, nil, fmt.Errorf("the folder %q: %w", f, err)
		}
	}
	if n := len(unknown); n > 0 {
		return nil, nil, fmt.Errorf("%s no class of the model: %s; name their classes with -map FILE, in lines FOLDER,CLASS",
			count(n, "folder")+map[bool]string{true: " names", false: " name"}[n == 1], strings.Join(unknown[:min(n, 3)], ", "))
	}
	return classes, by, nil
}

// folder returns the class of a folder's name, and how it was found.
func (m *matcher) folder(name string) (class int, by string, err error) {
	if class, err = m.named(name); !errors.Is(err, errNone) {
		return class, byName, err
	}
	if m.synsets != nil && isSynset.MatchString(name) {
		if i, ok := slices.BinarySearch(m.synsets, name); ok {
			return i, bySynset, nil
		}
	}
	if i := m.number(name); m.numbers && i >= 0 {
		return i, byNumber, nil
	}
	return 0, "", errNone
}

// named returns the class with a name.
func (m *matcher) named(name string) (int, error) {
	switch list := m.byName[plain(name)]; len(list) {
	case 0:
		return 0, errNone
	case 1:
		return list[0], nil
	default:
		return 0, fmt.Errorf("%q is the name of several classes, such as %d and %d: -map FILE gives their numbers", console.Printable(name), list[0], list[1])
	}
}

// number returns the class with a number, or -1.
func (m *matcher) number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n >= len(m.labels) {
		return -1
	}
	return n
}

// plain returns a name in lower case with spaces between words.
func plain(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == ' ' || r == '_' || r == '-' }), " ")
}
