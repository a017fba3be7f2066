package models

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestLabels names classes by numbers with gaps, and by numbers that no class has.
func TestLabels(t *testing.T) {
	for _, c := range []struct {
		ids  map[string]string
		want []string
	}{
		{nil, nil},
		{map[string]string{"0": "cat", "1": "dog"}, []string{"cat", "dog"}},
		{map[string]string{"0": "cat", "3": "dog"}, []string{"cat", "", "", "dog"}},
		{map[string]string{"1": "cat", "-7": "x", "y": "z", "999999999999": "far", "99999999999999999999": "further"}, []string{"", "cat"}},
		{map[string]string{"-1": "x"}, nil},
	} {
		if d := cmp.Diff(c.want, Classes{ID2Label: c.ids}.Labels()); d != "" {
			t.Errorf("%v: %s", c.ids, d)
		}
	}
}

// TestNameAll names the classes that have no name. Names of more classes than there are belong to other classes.
func TestNameAll(t *testing.T) {
	for _, c := range []struct {
		ids  map[string]string
		n    int
		want []string
	}{
		{nil, 2, []string{"LABEL_0", "LABEL_1"}},
		{map[string]string{"0": "cat", "1": "dog"}, 2, []string{"cat", "dog"}},
		{map[string]string{"1": "dog", "-1": "none"}, 2, []string{"LABEL_0", "dog"}},
		{map[string]string{"1": "dog", "9": "far"}, 2, []string{"LABEL_0", "LABEL_1"}},
		{map[string]string{"0": "cat", "1": "dog"}, 1, []string{"LABEL_0"}},
		{map[string]string{"0": "cat", "1": "dog"}, 0, nil},
	} {
		all := Classes{ID2Label: c.ids, Label2ID: LabelIDs{"other": 3}}
		if d := cmp.Diff(c.want, all.LabelsOf(c.n), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%v: %s", c.ids, d)
		}
		all.NameAll(c.n)
		if d := cmp.Diff(c.want, all.Labels()); d != "" {
			t.Errorf("%v: %s", c.ids, d)
		}
		for i, name := range c.want {
			if all.Label2ID[name] != i {
				t.Errorf("%v: %q has the number %d", c.ids, name, all.Label2ID[name])
			}
		}
		if len(all.Label2ID) != c.n {
			t.Errorf("%v: found the numbers %v", c.ids, all.Label2ID)
		}
	}
}

// TestLabelOrder writes classes by their numbers: pipelines of transformers take the first name that fits.
func TestLabelOrder(t *testing.T) {
	data, err := json.Marshal(Classes{Label2ID: LabelIDs{"b": 0, "a\"": 1, "c": 10, "d": 2}})
	if want := `{"label2id":{"b":0,"a\"":1,"d":2,"c":10}}`; err != nil || string(data) != want {
		t.Errorf("found %s, %v, expected %s", data, err, want)
	}
}

// TestPackages checks that the package of every model is in the list, and that each package in the list exists.
func TestPackages(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "internal" && e.Name() != "testdata" {
			want = append(want, "models/"+e.Name())
		}
	}
	found := slices.Compact(slices.Sorted(maps.Values(packages)))
	if d := cmp.Diff(want, found); d != "" {
		t.Errorf("packages in models.go: %s", d)
	}
}
