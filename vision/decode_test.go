package vision

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
	"testing/fstest"
)

type goldenPixels struct {
	Width, Height int
	Pixels        []byte // deflated
}

func (g *goldenPixels) image(t testing.TB) *Image {
	r, err := zlib.NewReader(bytes.NewReader(g.Pixels))
	if err != nil {
		t.Fatal(err)
	}
	pix, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	m := &Image{Pix: pix, Width: g.Width, Height: g.Height, Channels: 3}
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	return m
}

type goldenFile struct {
	goldenPixels
	Transposed *goldenPixels
}

func decodeGolden(t testing.TB) map[string]goldenFile {
	data, err := os.ReadFile("testdata/decode/want.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct{ Files map[string]goldenFile }
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Files) < 50 {
		t.Fatalf("%d files in want.json", len(g.Files))
	}
	return g.Files
}

// worst returns the largest difference between samples, and the mean.
func worst(t testing.TB, got, want *Image) (int, float64) {
	t.Helper()
	if got.Width != want.Width || got.Height != want.Height || got.Channels != want.Channels {
		t.Fatalf("got %d×%d×%d, want %d×%d×%d", got.Width, got.Height, got.Channels, want.Width, want.Height, want.Channels)
	}
	most, sum := 0, 0
	for i, v := range got.Pix {
		d := int(v) - int(want.Pix[i])
		d = max(d, -d)
		most = max(most, d)
		sum += d
	}
	return most, float64(sum) / float64(len(got.Pix))
}

// jpegTolerance is the agreement with libjpeg-turbo: exact, as of other formats.
const jpegTolerance = 0

func TestDecodeEqualsPillow(t *testing.T) {
	fsys := os.DirFS("testdata/decode")
	for name, g := range decodeGolden(t) {
		t.Run(name, func(t *testing.T) {
			tolerance := 0
			if path.Ext(name) == ".jpg" {
				tolerance = jpegTolerance
			}
			got, err := DecodeFile(fsys, name, DecodeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if most, mean := worst(t, got, g.image(t)); most > tolerance {
				t.Errorf("pixels differ from Pillow's by up to %d levels (mean %.3f), want at most %d", most, mean, tolerance)
			}
			got, err = DecodeFile(fsys, name, DecodeOptions{ApplyOrientation: true})
			if err != nil {
				t.Fatal(err)
			}
			want := &g.goldenPixels
			if g.Transposed != nil {
				want = g.Transposed
			}
			if most, _ := worst(t, got, want.image(t)); most > tolerance {
				t.Errorf("oriented pixels differ by up to %d levels, want at most %d", most, tolerance)
			}
		})
	}
}

// Fancy upsampling must matter, or the test above would show nothing.
func TestJPEGUpsamplingMatters(t *testing.T) {
	data, err := os.ReadFile("testdata/decode/420.jpg")
	if err != nil {
		t.Fatal(err)
	}
	m, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	plain := NewImage(m.Bounds().Dy(), m.Bounds().Dx(), 3)
	for y := range plain.Height {
		for x := range plain.Width {
			r, g, b, _ := m.At(x, y).RGBA()
			copy(plain.Pix[(y*plain.Width+x)*3:], []uint8{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8)})
		}
	}
	g := decodeGolden(t)["420.jpg"]
	if most, _ := worst(t, plain, g.image(t)); most < 10 {
		t.Errorf("the standard library's conversion differs by only %d levels", most)
	}
}

func TestDecodeRefuses(t *testing.T) {
	file := func(name string) []byte {
		data, err := os.ReadFile("testdata/decode/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	pngSize := func(w, h uint32) []byte {
		b := bytes.Clone(file("rgb.png"))
		binary.BigEndian.PutUint32(b[16:], w)
		binary.BigEndian.PutUint32(b[20:], h)
		binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
		return b
	}
	jpegSize := func(w, h uint16) []byte {
		b := bytes.Clone(file("420.jpg"))
		i := bytes.Index(b, []byte{0xff, 0xc0})
		binary.BigEndian.PutUint16(b[i+5:], h)
		binary.BigEndian.PutUint16(b[i+7:], w)
		return b
	}
	gifSize := bytes.Clone(file("palette.gif"))
	binary.LittleEndian.PutUint16(gifSize[6:], 10000)
	binary.LittleEndian.PutUint16(gifSize[8:], 10000)
	bmpSize := bytes.Clone(file("rgb.bmp"))
	binary.LittleEndian.PutUint32(bmpSize[18:], 10000)
	animated := bytes.Clone(file("lossy_alpha.webp"))
	animated[20] |= 2

	for _, c := range []struct {
		name string
		data []byte
		o    DecodeOptions
		kind error
		says string
	}{
		{"empty", nil, DecodeOptions{}, ErrFormat, "empty"},
		{"text", []byte("hello, world"), DecodeOptions{}, ErrFormat, "hello"},
		{"heic", []byte("\x00\x00\x00\x18ftypheic\x00\x00"), DecodeOptions{}, ErrFormat, "HEIC"},
		{"avif", []byte("\x00\x00\x00\x18ftypavif\x00\x00"), DecodeOptions{}, ErrFormat, "AVIF"},
		{"avif by a compatible brand", []byte("\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00miafavif"), DecodeOptions{}, ErrFormat, "gen2brain/avif"},
		{"mp4", []byte("\x00\x00\x00\x18ftypisom\x00\x00\x00\x00"), DecodeOptions{}, ErrFormat, "video"},
		{"ftyp cut", []byte("\x00\x00\x00\x18ftyp"), DecodeOptions{}, ErrFormat, "video"},
		{"tiff", []byte("II*\x00abcdefgh"), DecodeOptions{}, ErrCorrupt, "tiff"},
		{"bigtiff", []byte("II+\x00abcdefgh"), DecodeOptions{}, ErrFormat, "BigTIFF"},
		{"html", []byte("<!DOCTYPE html><html>"), DecodeOptions{}, ErrFormat, "HTML"},
		{"lfs", []byte("version https://git-lfs.github.com/spec/v1\n"), DecodeOptions{}, ErrFormat, "Git LFS"},
		{"animated webp without frames", animated, DecodeOptions{}, ErrCorrupt, "first frame"},
		{"png header only", file("rgb.png")[:20], DecodeOptions{}, ErrCorrupt, "png"},
		{"png zero width", pngSize(0, 5), DecodeOptions{}, ErrCorrupt, "png"},
		{"png huge", pngSize(1<<30, 1<<30), DecodeOptions{}, nil, "png"},
		{"png above the limit", pngSize(20000, 20000), DecodeOptions{}, ErrTooLarge, "20000×20000"},
		{"png hollow", pngSize(10000, 10000), DecodeOptions{}, ErrCorrupt, "cannot hold"},
		{"jpeg zero height", jpegSize(48, 0), DecodeOptions{}, ErrFormat, "DNL"},
		{"jpeg above the limit", jpegSize(65535, 65535), DecodeOptions{}, ErrTooLarge, "65535×65535"},
		{"jpeg hollow", jpegSize(10000, 10000), DecodeOptions{}, ErrCorrupt, "cannot hold"},
		{"jpeg scan bomb", jpegBomb(1000), DecodeOptions{}, ErrTooLarge, "scans"},
		{"gif hollow", gifSize, DecodeOptions{}, ErrCorrupt, "cannot hold"},
		{"bmp hollow", bmpSize, DecodeOptions{}, ErrCorrupt, "cannot hold"},
		{"own pixel limit", file("rgb.png"), DecodeOptions{MaxPixels: 100}, ErrTooLarge, "the limit is 100"},
		{"own byte limit", file("rgb.png"), DecodeOptions{MaxBytes: 100}, ErrTooLarge, "more than 100 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Name = "some/file"
			_, err := Decode(bytes.NewReader(c.data), c.o)
			var d *DecodeError
			if !errors.As(err, &d) {
				t.Fatalf("error %v is not a *DecodeError", err)
			}
			if c.kind != nil && !errors.Is(err, c.kind) {
				t.Errorf("error %q, expected %q", err, c.kind)
			}
			if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "some/file") {
				t.Errorf("error %q does not say %q or does not name the file", err, c.says)
			}
		})
	}
}

// Every file, cut anywhere before its pixels are complete, is refused and not half decoded; nothing panics.
func TestDecodeTruncated(t *testing.T) {
	for _, name := range []string{"420.jpg", "420_progressive.jpg", "rgb.png", "palette.gif", "lossy.webp", "lossless.webp", "lossy_alpha.webp", "offset.webp", "orient6_exif.webp", "frames.webp", "rgb.bmp", "rle8.bmp", "rle4.bmp", "555.bmp", "rgb.tif", "rgb_lzw.tif", "fax.tif"} {
		data, err := os.ReadFile("testdata/decode/" + name)
		if err != nil {
			t.Fatal(err)
		}
		end := len(data) * 9 / 10
		if path.Ext(name) == ".webp" { // its header ends with the size of the image
			end = len(data)
		}
		for n := 0; n < end; n += 1 + len(data)/200 {
			if _, err := DecodeBytes(data[:n], DecodeOptions{Name: name}); err == nil {
				t.Errorf("%s cut to %d of %d bytes: no error", name, n, len(data))
			} else if n > 40 && !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s cut to %d of %d bytes: %v, expected ErrCorrupt", name, n, len(data), err)
			}
		}
	}
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

func TestDecodeReaderErrors(t *testing.T) {
	sentinel := errors.New("disk on fire")
	if _, err := Decode(brokenReader{sentinel}, DecodeOptions{Name: "a.png"}); !errors.Is(err, sentinel) || !strings.Contains(err.Error(), "a.png") {
		t.Errorf("got %v", err)
	}
	fsys := fstest.MapFS{"d/x.png": {Data: []byte("x")}}
	if _, err := DecodeFile(fsys, "none.png", DecodeOptions{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "none.png") {
		t.Errorf("missing file: %v", err)
	}
	if _, err := DecodeFile(fsys, "d", DecodeOptions{}); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("directory: %v", err)
	}
}

func TestGuard(t *testing.T) {
	err := guard(func() error { var b []byte; _ = b[len(os.Args)+3]; return nil })
	if err == nil || kindOf(err) != ErrCorrupt {
		t.Errorf("a decoder's panic became %v", err)
	}
}

// FromImage agrees with a plain reading of each pixel, for the image types of the standard library.
func TestFromImage(t *testing.T) {
	src := testImage(9, 13, 4)
	rect := image.Rect(0, 0, 13, 9)
	draw := func(m interface {
		image.Image
		Set(x, y int, c color.Color)
	}) image.Image {
		for y := range 9 {
			for x := range 13 {
				m.Set(x, y, src.At(x, y))
			}
		}
		return m
	}
	pal := color.Palette{color.NRGBA{1, 2, 3, 255}, color.NRGBA{200, 100, 50, 128}, color.NRGBA{9, 250, 80, 255}}
	images := map[string]image.Image{
		"NRGBA":    draw(image.NewNRGBA(rect)),
		"NRGBA64":  draw(image.NewNRGBA64(rect)),
		"RGBA":     draw(image.NewRGBA(rect)),
		"RGBA64":   draw(image.NewRGBA64(rect)),
		"Gray":     draw(image.NewGray(rect)),
		"Gray16":   draw(image.NewGray16(rect)),
		"Paletted": draw(image.NewPaletted(rect, pal)),
		"Alpha":    draw(image.NewAlpha(rect)),
	}
	images["sub"] = images["NRGBA"].(*image.NRGBA).SubImage(image.Rect(3, 2, 11, 8))
	images["sub of Paletted"] = images["Paletted"].(*image.Paletted).SubImage(image.Rect(3, 2, 11, 8))
	for name, m := range images {
		got, err := FromImage(m)
		if err != nil {
			t.Fatal(err)
		}
		b := m.Bounds()
		want := NewImage(b.Dy(), b.Dx(), 3)
		for y := range want.Height {
			for x := range want.Width {
				c := m.At(b.Min.X+x, b.Min.Y+y)
				n := color.NRGBAModel.Convert(c).(color.NRGBA)
				copy(want.Pix[(y*want.Width+x)*3:], []uint8{n.R, n.G, n.B})
			}
		}
		if most, _ := worst(t, got, want); most > 0 {
			t.Errorf("%s: differs by up to %d levels", name, most)
		}
	}
	for _, m := range []image.Image{nil, image.NewGray(image.Rect(0, 0, 0, 5)), (*Image)(nil), &Image{Width: 3, Height: 3, Channels: 3}} {
		if _, err := FromImage(m); !errors.Is(err, ErrSize) {
			t.Errorf("%T: error %v, expected ErrSize", m, err)
		}
	}
}

// Part of a subsampled image must not be read as if it began on a chroma sample.
func TestFromSubsampledPart(t *testing.T) {
	m := image.NewYCbCr(image.Rect(0, 0, 16, 12), image.YCbCrSubsampleRatio420)
	for i := range m.Y {
		m.Y[i] = uint8(i * 7)
	}
	for i := range m.Cb {
		m.Cb[i], m.Cr[i] = uint8(i*11), uint8(i*13)
	}
	got, err := FromImage(m.SubImage(image.Rect(3, 5, 14, 12)))
	if err != nil {
		t.Fatal(err)
	}
	r, g, b := ycbcrToRGB(m.Y[5*16+3], m.Cb[2*8+1], m.Cr[2*8+1])
	if want := []uint8{r, g, b}; got.Width != 11 || got.Height != 7 || !bytes.Equal(got.Pix[:3], want) {
		t.Errorf("first pixel %v, want %v", got.Pix[:3], want)
	}
}

// 4:4:0, 4:1:1 and 4:1:0 have no files here; a constant chroma must come through unchanged.
func TestRareSubsampling(t *testing.T) {
	for _, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410} {
		m := image.NewYCbCr(image.Rect(0, 0, 13, 7), ratio)
		for i := range m.Y {
			m.Y[i] = uint8(i * 3)
		}
		for i := range m.Cb {
			m.Cb[i], m.Cr[i] = 90, 170
		}
		got, err := FromImage(m)
		if err != nil {
			t.Fatal(err)
		}
		for y := range 7 {
			for x := range 13 {
				r, g, b := ycbcrToRGB(m.Y[y*m.YStride+x], 90, 170)
				if p := got.Pix[(y*13+x)*3:]; p[0] != r || p[1] != g || p[2] != b {
					t.Fatalf("%v: pixel (%d, %d) is %v, want %v", ratio, x, y, p[:3], []uint8{r, g, b})
				}
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	entries, err := os.ReadDir("testdata/decode")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		if path.Ext(e.Name()) == ".json" {
			continue
		}
		data, err := os.ReadFile("testdata/decode/" + e.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	cases := openCases(f)
	for name := range cases.Files {
		if data, err := cases.read(name); err != nil {
			f.Fatal(err)
		} else {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodeBytes(data, DecodeOptions{MaxPixels: 1 << 20, ApplyOrientation: true})
		if err != nil {
			var d *DecodeError
			if !errors.As(err, &d) {
				t.Fatalf("error %v is not a *DecodeError", err)
			}
			return
		}
		if err := m.Validate(); err != nil || m.Channels != 3 {
			t.Fatalf("decoded to %d channels, %v", m.Channels, err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	big := testImage(1200, 1600, 3)
	smooth, err := Resize(big, 1200, 1600, Lanczos)
	if err != nil {
		b.Fatal(err)
	}
	var j, p bytes.Buffer
	if err := jpeg.Encode(&j, smooth, &jpeg.Options{Quality: 85}); err != nil {
		b.Fatal(err)
	}
	if err := png.Encode(&p, smooth); err != nil {
		b.Fatal(err)
	}
	for name, data := range map[string][]byte{"jpeg": j.Bytes(), "png": p.Bytes()} {
		b.Run("1600x1200/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodeBytes(data, DecodeOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
