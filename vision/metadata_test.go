package vision

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"os"
	"runtime"
	"testing"
)

// exifBlock is EXIF data that holds an orientation as a number of the given type, 3 for 16 bits and 4 for 32.
func exifBlock(o binary.AppendByteOrder, kind uint16, orientation int) []byte {
	b := []byte("II*\x00")
	if o == binary.BigEndian {
		b = []byte("MM\x00*")
	}
	b = o.AppendUint32(b, 8)
	b = o.AppendUint16(b, 1)
	b = o.AppendUint16(b, 0x0112)
	b = o.AppendUint16(b, kind)
	b = o.AppendUint32(b, 1)
	if kind == 3 {
		b = o.AppendUint16(b, uint16(orientation))
		b = o.AppendUint16(b, 0)
	} else {
		b = o.AppendUint32(b, uint32(orientation))
	}
	return o.AppendUint32(b, 0)
}

// The orientation is found wherever Pillow's exif_transpose finds it: in each of these files of either byte order.
func TestOrientationSources(t *testing.T) {
	file := func(name string) []byte {
		data, err := os.ReadFile("testdata/decode/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	inJPEG := func(payloads ...string) []byte {
		b := []byte{0xff, 0xd8}
		for _, p := range payloads {
			b = append(binary.BigEndian.AppendUint16(append(b, 0xff, 0xe1), uint16(len(p)+2)), p...)
		}
		return append(b, file("444_odd.jpg")[2:]...)
	}
	chunk := func(kind, payload string) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))
		b = append(append(b, kind...), payload...)
		return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
	}
	// A header takes the first 33 bytes of a PNG file, the end the last 12.
	inPNG := func(kind, payload string) []byte {
		b := file("rgb.png")
		return bytes.Join([][]byte{b[:33], chunk(kind, payload), b[33:]}, nil)
	}
	inPNGEnd := func(kind, payload string) []byte {
		b := file("rgb.png")
		return bytes.Join([][]byte{b[:len(b)-12], chunk(kind, payload), b[len(b)-12:]}, nil)
	}
	inWebP := func(id, payload string) []byte {
		b := file("lossless.webp")
		b = append(append(b, id...), binary.LittleEndian.AppendUint32(nil, uint32(len(payload)))...)
		b = append(b, payload...)
		binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
		return b
	}
	packed := func(s string) string {
		var b bytes.Buffer
		z := zlib.NewWriter(&b)
		z.Write([]byte(s))
		z.Close()
		return b.String()
	}
	const adobe = "http://ns.adobe.com/xap/1.0/\x00"
	for o := range 10 {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			exif := string(exifBlock(order, 3, o))
			other := string(exifBlock(order, 3, 7))
			digits := hex.EncodeToString([]byte("Exif\x00\x00" + exif))
			raw := fmt.Sprintf("\nexif\n%8d\n%s\n%s\n", len(digits)/2, digits[:20], digits[20:])
			attribute := fmt.Sprintf(`<x:xmpmeta><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>`, o)
			element := fmt.Sprintf(`<x:xmpmeta><tiff:Orientation>%d</tiff:Orientation></x:xmpmeta>`, o)
			for name, data := range map[string][]byte{
				"jpeg":                     inJPEG("Exif\x00\x00" + exif),
				"jpeg, 32 bits":            inJPEG("Exif\x00\x00" + string(exifBlock(order, 4, o))),
				"jpeg, prefixed twice":     inJPEG("Exif\x00\x00Exif\x00\x00" + exif),
				"jpeg, two blocks":         inJPEG("Exif\x00\x00"+exif, "Exif\x00\x00"+other),
				"jpeg, XMP":                inJPEG(adobe + attribute),
				"jpeg, XMP element":        inJPEG(adobe + element),
				"jpeg, EXIF before XMP":    inJPEG(adobe+`tiff:Orientation="7"`, "Exif\x00\x00"+exif),
				"png":                      inPNG("eXIf", exif),
				"png, after the pixels":    inPNGEnd("eXIf", exif),
				"png, prefixed":            inPNG("eXIf", "Exif\x00\x00"+exif),
				"png, profile":             inPNG("tEXt", "Raw profile type exif\x00"+raw),
				"png, packed profile":      inPNG("zTXt", "Raw profile type exif\x00\x00"+packed(raw)),
				"png, XMP":                 inPNG("iTXt", "XML:com.adobe.xmp\x00\x00\x00\x00\x00"+attribute),
				"png, packed XMP":          inPNG("iTXt", "XML:com.adobe.xmp\x00\x01\x00en\x00x\x00"+packed(element)),
				"webp":                     inWebP("EXIF", exif),
				"webp, prefixed":           inWebP("EXIF", "Exif\x00\x00"+exif),
				"webp, XMP":                inWebP("XMP ", element),
				"jpeg, other text in XMP":  inJPEG("Exif\x00\x00"+exif, adobe+"tiff:Orientation='7'"),
				"png, after the end, none": append(inPNG("eXIf", exif), chunk("eXIf", other)...),
			} {
				plain, err := DecodeBytes(data, DecodeOptions{})
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				got, err := DecodeBytes(data, DecodeOptions{ApplyOrientation: true})
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if want := plain.Orient(o); got.Width != want.Width || !bytes.Equal(got.Pix, want.Pix) {
					t.Errorf("%s, %v: orientation %d is not applied", name, order, o)
				}
			}
		}
	}
}

// Text that expands a thousandfold, or is corrupted, costs little and turns nothing.
func TestOrientationHostile(t *testing.T) {
	base, err := os.ReadFile("testdata/decode/rgb.png")
	if err != nil {
		t.Fatal(err)
	}
	var bomb bytes.Buffer
	z := zlib.NewWriter(&bomb)
	z.Write(make([]byte, 64<<20))
	z.Close()
	for _, text := range []string{"", "\x00", "\x01\x00", "\x00" + bomb.String(), "\x01\x00\x00\x00" + bomb.String(), "\n\n\nzz"} {
		for _, kind := range []string{"tEXt", "zTXt", "iTXt"} {
			for _, keyword := range []string{"Raw profile type exif", "XML:com.adobe.xmp"} {
				payload := keyword + "\x00" + text
				b := binary.BigEndian.AppendUint32(bytes.Clone(base[:33]), uint32(len(payload)))
				b = append(append(append(b, kind...), payload...), 0, 0, 0, 0)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				if o := pngMetadata(b).orientation(); o != 1 {
					t.Errorf("%s %q: orientation %d", kind, keyword, o)
				}
				runtime.ReadMemStats(&after)
				if cost := after.TotalAlloc - before.TotalAlloc; cost > 16<<20 {
					t.Errorf("%s %q: %d bytes allocated for %d", kind, keyword, cost, len(payload))
				}
			}
		}
	}
}
