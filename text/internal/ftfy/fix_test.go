package ftfy

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/internal/test/oracle"
)

// compareCases compares with the results of ftfy: each case is a text, what fix_text makes of it, and html.unescape.
func compareCases(t *testing.T, cases [][3]string) {
	t.Helper()
	changed := 0
	for _, c := range cases {
		if got := Fix(c[0]); got != c[1] {
			t.Errorf("fix_text of %+q:\nexpected %+q,\nfound    %+q", c[0], c[1], got)
		}
		if got := Unescape(c[0]); got != c[2] {
			t.Errorf("html.unescape of %+q:\nexpected %+q,\nfound    %+q", c[0], c[2], got)
		}
		if c[0] != c[1] {
			changed++
		}
	}
	if changed < len(cases)/20 {
		t.Errorf("ftfy changes %d of %d texts", changed, len(cases))
	}
}

func TestFix(t *testing.T) {
	data, err := os.ReadFile("testdata/fix.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct{ Cases [][3]string }
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Cases) != 600 {
		t.Fatalf("found %d cases", len(golden.Cases))
	}
	compareCases(t, golden.Cases)
}

// TestLibrary compares every entity of HTML, every character up to U+FFFF and random texts with ftfy itself. It needs
// FOVEA_PYTHON; FOVEA_SEED chooses other texts, and FOVEA_COUNT more.
func TestLibrary(t *testing.T) {
	seed, count := "7", "2000"
	if s := os.Getenv("FOVEA_SEED"); s != "" {
		seed = s
	}
	if s := os.Getenv("FOVEA_COUNT"); s != "" {
		count = s
	}
	out := oracle.Run(t, "ftfy", "text_ftfy.py", "fix", seed, count)
	var cases [][3]string
	for line := range bytes.Lines(out) {
		var c [3]string
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	if len(cases) < 60_000 {
		t.Fatalf("found %d cases", len(cases))
	}
	compareCases(t, cases)
}

// TestHostile repairs texts that need as many rounds as they have characters. Without a budget they take hours.
func TestHostile(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 1000
	}
	for _, text := range []string{
		"&" + strings.Repeat("amp;", n/4) + "lt;", strings.Repeat("&#", n/4) + strings.Repeat("1;", n/4), strings.Repeat("Â", n) + "©",
		strings.Repeat("Ã©", n/2), strings.Repeat("√†", n/2), strings.Repeat("a\u0301\u0323", n/3), strings.Repeat("\x1b[1", n/3), "a" + strings.Repeat("\u0301", n),
		strings.Repeat("ðŸ ", n/3), strings.Repeat("&", n),
	} {
		if got := Fix(text); len(got) > 3*len(text) || !utf8.ValidString(got) {
			t.Errorf("%.20q: %d bytes became %d", text, len(text), len(got))
		}
	}
}

// FuzzFix repairs hostile texts. A repaired text that is short enough for the budget needs no further repair, unless a
// line that is no longer HTML can be read now.
func FuzzFix(f *testing.F) {
	for _, text := range []string{"sÃ³ &amp;lt; ﬁ\r\n“x”", "<b>\n&copy;", "\xc0\x80", "Â\u00A0", "&#xD83D;", "\x1b[0m\u0085", "ã\x83\x84", "‚Äô ¬† ├®"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 5000 {
			return
		}
		text = strings.ToValidUTF8(text, "\uFFFD")
		fixed := Fix(text)
		if !utf8.ValidString(fixed) {
			t.Fatalf("%+q became %+q", text, fixed)
		}
		if strings.Contains(text, "\n") || strings.Contains(fixed, "\n") || strings.Contains(fixed, "<") != strings.Contains(text, "<") {
			return // lines were cut elsewhere, or other lines are HTML
		}
		if len(text) < 250 {
			if again := Fix(fixed); again != fixed {
				t.Fatalf("%+q became %+q, and then %+q", text, fixed, again)
			}
		}
	})
}
