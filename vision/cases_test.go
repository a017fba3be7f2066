package vision

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// caseFiles are files of rare forms, and what Pillow reads in them; see testdata/gen/vision_cases.py.
type caseFiles struct {
	Files   map[string]struct{ Image, Transposed string }
	Images  map[string]*goldenPixels
	Refused []string // by Pillow

	given fs.FS
	made  *zip.ReadCloser
}

func openCases(t testing.TB) (c caseFiles) {
	text, err := os.ReadFile("testdata/cases/want.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Files) < 50 {
		t.Fatalf("%d files in want.json", len(c.Files))
	}
	c.given = os.DirFS("testdata/cases")
	if c.made, err = zip.OpenReader("testdata/cases/made.zip"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.made.Close() })
	return c
}

func (c *caseFiles) read(name string) ([]byte, error) {
	if data, err := fs.ReadFile(c.given, name); err == nil {
		return data, nil
	}
	return fs.ReadFile(c.made, name)
}

func (c *caseFiles) decode(name string, o DecodeOptions) (*Image, error) {
	data, err := c.read(name)
	if err != nil {
		return nil, err
	}
	o.Name = name
	return DecodeBytes(data, o)
}

// refusedCases are files that Pillow reads and this package does not, with a part of the error. Decode lists them.
var refusedCases = map[string]string{
	"float.tif":         "sample format",
	"inks.tif":          "ink set 2",
	"gray16_white0.tif": "photometric interpretation 0 with 1 samples of 16 bits",
	"planar3.tif":       "planar configuration 3",
	"ycbcr.tif":         "YCbCr",
	"lab.tif":           "CIE Lab",

	// Corrupted, by their own checksums. Pillow does not look at these.
	"rgb_idat_crc.png":     "checksum",
	"rgba_idat_crc.png":    "checksum",
	"rgb16_idat_crc.png":   "checksum",
	"indexed_idat_crc.png": "checksum",
}

// otherCases are files that have the pixels of another one: Pillow refuses them, although nothing is unclear about them, or
// reads other bytes (uncompressed planes of 16 bits).
var otherCases = map[string]string{
	"plain_2_rgb16.tif":         "lzw_2_rgb16.tif",
	"plain_2_unspecified.tif":   "lzw_2_unspecified.tif",
	"plain_2_unspecified3.tif":  "lzw_2_unspecified3.tif",
	"plain_2_premultiplied.tif": "plain_1_premultiplied.tif",
	"plain_fill2_palette1.tif":  "plain_fill1_palette1.tif",
	"plain_fill2_palette2.tif":  "plain_fill1_palette2.tif",
	"plain_fill2_palette4.tif":  "plain_fill1_palette4.tif",
	"plain_fill2_gray8_0.tif":   "plain_fill1_gray8_0.tif",
	"plain_fill2_rgba.tif":      "plain_fill1_rgba.tif",
	"deflate_fill2_rgba.tif":    "deflate_fill1_rgba.tif",
	"gray_premultiplied.tif":    "",
	"gray_straight_planes.tif":  "gray_straight.tif",
	"cmyk_alpha.tif":            "cmyk_more.tif",
	"webp_lossless_alph.webp":   "webp_lossless_extended.webp",
	"webp_unknown.webp":         "webp_flag_missing.webp",
	"webp_two_alph.webp":        "webp_flag_missing.webp",
	"webp_two_images.webp":      "webp_flag_only.webp",
}

// kindOfCase is the kind of error that a file gives which is not read. TIFF files are unsupported, unless their fields do
// not fit together; the others are corrupted, unless a field has a value that nobody knows.
func kindOfCase(name string) error {
	_, rest := withoutOrder(name)
	if rest == "gray_no_extra.tif" || rest == "bits_few.tif" || !strings.HasSuffix(name, ".tif") && !strings.HasSuffix(name, "_filter.png") {
		return ErrCorrupt
	}
	return ErrFormat
}

// withoutOrder removes the byte order from a file's name.
func withoutOrder(name string) (order, rest string) {
	for _, o := range []string{"le_", "be_"} {
		if rest, ok := strings.CutPrefix(name, o); ok {
			return o, rest
		}
	}
	return "", name
}

func TestCasesEqualPillow(t *testing.T) {
	c := openCases(t)
	check := func(name, image string, o DecodeOptions) {
		t.Helper()
		m, err := c.decode(name, o)
		if err != nil {
			t.Error(err)
			return
		}
		if most, mean := worst(t, m, c.Images[image].image(t)); most > 0 {
			t.Errorf("%s: pixels differ from Pillow's by up to %d levels (mean %.3f), orientation %v", name, most, mean, o.ApplyOrientation)
		}
	}
	unread := func(name, says string) {
		t.Helper()
		kind := kindOfCase(name)
		if _, err := c.decode(name, DecodeOptions{}); !errors.Is(err, kind) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error %v, expected %v and %q", name, err, kind, says)
		}
	}
	for name, want := range c.Files {
		order, rest := withoutOrder(name)
		if says, refused := refusedCases[rest]; refused {
			unread(name, says)
			continue
		}
		if other, ok := otherCases[rest]; ok {
			check(name, c.Files[order+other].Image, DecodeOptions{})
			continue
		}
		check(name, want.Image, DecodeOptions{})
		if want.Transposed == "" {
			want.Transposed = want.Image
		}
		check(name, want.Transposed, DecodeOptions{ApplyOrientation: true})
	}
	for _, name := range c.Refused {
		order, rest := withoutOrder(name)
		if other, ok := otherCases[rest]; ok && other != "" {
			check(name, c.Files[order+other].Image, DecodeOptions{})
		} else if ok {
			if _, err := c.decode(name, DecodeOptions{}); err != nil {
				t.Error(err)
			}
		} else {
			unread(name, "")
		}
	}
}
