package text

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/oracle"
)

// folderCase is a line of testdata/gen/text_folders.py.
type folderCase struct {
	Meant  string
	Error  string
	Class  string
	Limit  int
	Inputs []string // model_input_names
	Left   []bool   // padding, truncation
	Pad    *string
	PadID  *int `json:"pad_id"`
	Mask   *string
	MaskID *int `json:"mask_id"`
	Size   int
	Texts  []struct {
		Text    string
		Pair    *string
		IDs     []int
		Types   []int
		Decoded string
		Skipped string
		Error   string
	}
}

// TestFolders compares with AutoTokenizer on folders of many classes. FOVEA_FOLDERS is their number, FOVEA_CLASSES the
// classes.
func TestFolders(t *testing.T) {
	folder, count, seed := t.TempDir(), os.Getenv("FOVEA_FOLDERS"), os.Getenv("FOVEA_SEED")
	if count == "" {
		count = "100"
	}
	if seed == "" {
		seed = "1"
	}
	oracle.Run(t, "transformers", "text_folders.py", folder, seed, count)
	lines, err := os.ReadFile(filepath.Join(folder, "cases"))
	if err != nil {
		t.Fatal(err)
	}
	i := -1
	equal, both, refused := 0, 0, map[string]int{}
	for line := range bytes.Lines(lines) {
		i++
		var c folderCase
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		tok, err := OpenDir(filepath.Join(folder, strconv.Itoa(i)), OpenOptions{})
		switch {
		case err != nil && c.Error != "":
			both++
			continue
		case err != nil:
			refused[c.Meant]++
			t.Logf("folder %d (%s): refused: %v", i, c.Meant, err)
			continue
		case c.Error != "":
			t.Errorf("folder %d (%s): expected an error as in transformers: %s", i, c.Meant, c.Error)
			continue
		}
		equal++
		compareFolder(t, i, tok, &c)
	}
	t.Logf("%d equal, %d refused by both, %v refused here alone", equal, both, refused)
}

func compareFolder(t *testing.T, i int, tok *Tokenizer, c *folderCase) {
	t.Helper()
	o := tok.Defaults()
	limit, left := 0, false
	if o.Truncation != nil {
		limit, left = o.Truncation.Max%math.MaxInt32, o.Truncation.Left // where only the side is stated the limit is the largest
	}
	if left != c.Left[1] {
		t.Errorf("folder %d (%s): truncation at the left: %v, expected %v", i, c.Meant, left, c.Left[1])
	}
	if limit != c.Limit {
		t.Errorf("folder %d (%s): limit %d, expected %d", i, c.Meant, limit, c.Limit)
	}
	for _, input := range []string{"input_ids", "token_type_ids", "attention_mask"} {
		if got, want := slices.Contains(tok.ModelInputs(), input), slices.Contains(c.Inputs, input); got != want {
			t.Errorf("folder %d (%s): gives %s: %v, expected %v", i, c.Meant, input, got, want)
		}
	}
	if (o.Padding == nil) != (c.Pad == nil) || o.Padding != nil && (o.Padding.Token != *c.Pad || o.Padding.ID != *c.PadID || o.Padding.Left != c.Left[0]) {
		t.Errorf("folder %d (%s): padding %+v, expected %v %v %v", i, c.Meant, o.Padding, c.Pad, c.PadID, c.Left[0])
	}
	if mask, id, ok := tok.Special("mask_token"); ok != (c.Mask != nil) || ok && (mask != *c.Mask || c.MaskID != nil && id != *c.MaskID) {
		t.Errorf("folder %d (%s): mask %q %d, expected %v %v", i, c.Meant, mask, id, c.Mask, c.MaskID)
	}
	if n := tok.Size(); n != c.Size {
		t.Errorf("folder %d (%s): size %d, expected %d", i, c.Meant, n, c.Size)
	}
	for _, text := range c.Texts {
		in := Input{Text: text.Text}
		if text.Pair != nil && *text.Pair != "" {
			in.Pair = &Input{Text: *text.Pair}
		}
		e, err := tok.encode(in, Options{})
		if (err != nil) != (text.Error != "") {
			t.Errorf("folder %d (%s): %q: error %v, expected %q", i, c.Meant, text.Text, err, text.Error)
			continue
		}
		if err != nil {
			continue
		}
		if !slices.Equal(e.IDs, text.IDs) || !slices.Equal(e.TypeIDs, text.Types) {
			t.Errorf("folder %d (%s, %s): %q, %v: %v %v, expected %v %v", i, c.Meant, c.Class, text.Text, text.Pair, e.IDs, e.TypeIDs, text.IDs, text.Types)
			return
		}
		for skip, want := range map[bool]string{false: text.Decoded, true: text.Skipped} {
			if got := tok.Decode(e.IDs, DecodeOptions{SkipSpecial: skip}); got != want {
				t.Errorf("folder %d (%s, %s): decoded %v %v: %q, expected %q", i, c.Meant, c.Class, skip, e.IDs, got, want)
			}
		}
	}
}
