package ftfy

import "testing"

// TestUnescape holds results of html.unescape of Python 3.11.
func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		"&amp;lt; &lt &notit; &#65;&#x41 &#X42;": "&lt; < ¬it; AA B", "&#0;&#xD800;&#x110000;": "\uFFFD\uFFFD\uFFFD",
		"a&#1;b&#x7f;c&#xFDD0;d&#x1FFFF;e": "abcde", "&#128;&#x99;": "€™", "&#99999999999999999999;": "\uFFFD", "&#4294967361;": "\uFFFD",
		"&#9;&#10;&#12;&#13;": "\t\n\f\r", "&#;&#x;&": "&#;&#x;&", "&#38;amp;": "&amp;", "&#11;|&#28;": "|",
	} {
		if got := Unescape(in); got != want {
			t.Errorf("%q: %q, expected %q", in, got, want)
		}
	}
}
