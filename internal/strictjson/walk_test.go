package strictjson

import (
	"slices"
	"testing"
)

func TestWalk(t *testing.T) {
	var got []string
	err := Members([]byte(` {"a": [1, 2], "\u0062": "x", "a": null} `), func(key string, value []byte) { got = append(got, key+string(value)) })
	if want := []string{"a[1, 2]", `b"x"`, "anull"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("members %q, %v, expected %q", got, err, want)
	}
	got = nil
	err = Elements([]byte(`["a", {}, [ 1 ] ]`), func(value []byte) { got = append(got, string(value)) })
	if want := []string{`"a"`, "{}", "[ 1 ]"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("elements %q, %v, expected %q", got, err, want)
	}
	if s, err := Text([]byte(` "a\n\u00e9" `)); s != "a\né" || err != nil {
		t.Errorf("text %q, %v", s, err)
	}
	none := func([]byte) {}
	for want, err := range map[string]error{
		"expected an object, found array": Members([]byte(`[]`), func(string, []byte) {}),
		"expected a list, found object":   Elements([]byte(`{}`), none),
		"expected a list, found null":     Elements([]byte(`null`), none),
		"invalid JSON: expected a comma or the end of the list, found the end of the file": Elements([]byte(`[1`), none),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("error %v, expected %s", err, want)
		}
	}
	if _, err := Text([]byte(`1`)); err == nil || err.Error() != "expected text, found number 1" {
		t.Error(err)
	}
}
