package strictjson

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
)

type inner struct {
	Depth int `json:"depth"`
}

type target struct {
	Size   int               `json:"size"`
	Share  float32           `json:"share"`
	On     bool              `json:"on"`
	Name   string            `json:"name"`
	Maybe  *int              `json:"maybe"`
	List   []int             `json:"list"`
	Names  map[string]string `json:"names"`
	Nested inner             `json:"nested"`
	Raw    json.RawMessage   `json:"raw"`
	inner2
}

type inner2 struct {
	Size  int `json:"size"` // hidden by the outer field
	Width int `json:"width"`
}

// TestDecode reads what Python's json.loads reads, and refuses the rest with the field and its type.
func TestDecode(t *testing.T) {
	for text, want := range map[string]string{
		`{"size": 7, "Size": 8, "SIZE": 9}`:                       "",
		`{"size": 1, "size": 7}`:                                  "",
		`{"size": "x", "size": 7}`:                                "", // the last counts
		`{"size": 7, "share": 1, "width": 4}`:                     "",
		`{"size": 7, "share": NaN, "x": [-Infinity, 1e400]}`:      "",
		` {"size" :7 , "names":{"a\u0041":"\ud83d\ude00"} } `:     "",
		`{"size": 7, "maybe": null, "list": null, "names": null}`: "",
		`{"size": null}`:                                          "size: expected a whole number, found null",
		`{"size": 7.0}`:                                           "size: expected a whole number, found number 7.0",
		`{"size": 1e3}`:                                           "size: expected a whole number, found number 1e3",
		`{"size": "7"}`:                                           "size: expected a whole number, found string",
		`{"size": true}`:                                          "size: expected a whole number, found bool",
		`{"size": 99999999999999999999}`:                          "size: expected a whole number, found number 99999999999999999999",
		`{"share": "1"}`:                                          "share: expected a number, found string",
		`{"on": 1}`:                                               "on: expected true or false, found number 1",
		`{"on": null}`:                                            "on: expected true or false, found null",
		`{"name": 1}`:                                             "name: expected text, found number 1",
		`{"list": {}}`:                                            "list: expected a list, found object",
		`{"list": [1, "2"]}`:                                      "list: expected a whole number, found string",
		`{"names": {"a": null}}`:                                  "names: expected text, found null",
		`{"nested": {"depth": []}}`:                               "nested.depth: expected a whole number, found array",
		`[1]`:                                                     "expected an object, found array",
		`null`:                                                    "expected an object, found null",
		``:                                                        "expected a value, found the end of the file",
		`{"a": 01}`:                                               "expected a comma or the end of the object at byte 7",
		`{"a": .5}`:                                               "expected a value at byte 6",
		`{"a": 1,}`:                                               "expected a text in quotes at byte 8",
		`{"a": 1} x`:                                              "expected the end of the file at byte 9",
		"\ufeff{}":                                                "expected a value at byte 0",
		"{\"a\": \"\t\"}":                                         "expected the end of a text",
		`{"a": "\x"}`:                                             "expected an escaped character",
		`{"a": "\u12"}`:                                           "expected four hexadecimal digits",
		`{"a": nul}`:                                              "expected a value",
		`{"a": 1.}`:                                               "expected a digit",
		`{"a" 1}`:                                                 "expected a colon",
		"{\"a\xff\": 1}":                                          "expected UTF-8",
		strings.Repeat("[", 5000):                                 "at most 900 values",
		`{"x": ` + strings.Repeat(`{"a":`, 5000):                  "at most 900 values",
	} {
		var v target
		err := Decode([]byte(text), &v)
		switch {
		case (err == nil) != (want == ""), err != nil && !strings.Contains(err.Error(), want):
			t.Errorf("%.40s: expected %q, found %v", text, want, err)
		case err == nil && v.Size != 7:
			t.Errorf("%s: found %+v", text, v)
		}
	}
	v := target{Size: 3, Maybe: new(int), List: []int{1}}
	if err := Decode([]byte(`{"share": Infinity, "maybe": null, "width": 5, "nested": {"depth": 2}, "raw": [1, {}], "names": {"a": "\u00e9\n"}}`), &v); err != nil {
		t.Fatal(err)
	}
	if v.Size != 3 || v.Maybe != nil || len(v.List) != 1 || v.Width != 5 || v.Nested.Depth != 2 || !math.IsInf(float64(v.Share), 1) ||
		string(v.Raw) != "[1, {}]" || v.Names["a"] != "é\n" {
		t.Errorf("found %+v", v)
	}
}

// TestFields refuses a field by its name unless its value changes nothing.
func TestFields(t *testing.T) {
	table := Fields{
		{Name: "used"}, {Name: "idle", Use: Harmless, Reason: "it does nothing"},
		{Name: "count", Use: Refused, Reason: "counting is not supported", Same: []string{"0", "null"}},
	}
	for text, want := range map[string]string{
		`{"used": 1, "idle": 2, "other": 3, "count": 0}`: "",
		`{"count": 0.0}`:              "",
		`{"count": null, "Count": 5}`: "",
		`{"count": 3, "count": 0}`:    "",
		`{"count": 3}`:                "count: counting is not supported: expected no such field, or 0 or null, found 3",
		`{"count": "0"}`:              `found "0"`,
		`3`:                           "expected an object",
	} {
		err := table.Check([]byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected %q, found %v", text, want, err)
		}
	}
	if d := table.Missing([]string{"used", "new", "count"}); !slices.Equal(d, []string{"new"}) {
		t.Errorf("found %v", d)
	}
}

// FuzzDecode reads hostile text. What encoding/json reads is read.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		`{"size": 7, "share": -1.5e-3, "on": true, "name": "\u00e9\"", "maybe": 3, "list": [1, 2], "names": {"a": "b"}, "nested": {"depth": 1}}`,
		`{"size": NaN}`, `{"list": [[]]}`, `{"raw": {"a": [null, false]}, "width": 2}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := Object(data, func(string, []byte) {})
		if err == nil {
			var v target
			_ = Decode(data, &v)
		}
		var theirs map[string]any
		if json.Unmarshal(data, &theirs) == nil && theirs != nil && err != nil &&
			!strings.Contains(err.Error(), "UTF-8") && !strings.Contains(err.Error(), "inside each other") {
			t.Errorf("%q: %v", data, err)
		}
	})
}
