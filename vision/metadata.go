package vision

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"io"
	"regexp"
)

// This file finds the orientation of a photograph. A camera writes it in EXIF data, a block in the form of a TIFF file. A
// program that edits photographs may write XMP instead, a page of XML. ImageMagick writes EXIF data as text into PNG
// files. The bytes are untrusted, so every loop moves forward.

// metadata is the EXIF and XMP data of a file; nil where there is none.
type metadata struct{ exif, xmp []byte }

// xmpOrientation matches the orientation as an attribute or as an element, as Pillow does.
var xmpOrientation = regexp.MustCompile(`tiff:Orientation(?:="|>)([0-9])`)

// orientation returns 1 to 8, as Pillow's ImageOps.exif_transpose finds it: a number of any type, the first where there
// are several. XMP counts where EXIF has no such tag. It returns 1 when both are absent or unreadable.
func (m metadata) orientation() int {
	d, _ := parseIFD(withoutExifPrefix(m.exif))
	v, ok := d.number(exifOrientation)
	if !ok {
		if found := xmpOrientation.FindSubmatch(m.xmp); found != nil {
			v = float64(found[1][0] - '0')
		}
	}
	if v >= 1 && v <= 8 && v == float64(int(v)) {
		return int(v)
	}
	return 1
}

const exifPrefix = "Exif\x00\x00"

// withoutExifPrefix removes the prefix of EXIF data in JPEG files. Some programs write it in other files too, or twice.
func withoutExifPrefix(b []byte) []byte {
	for range 2 {
		b = bytes.TrimPrefix(b, []byte(exifPrefix))
	}
	return b
}

// jpegSegments calls f with each marker and its payload until f returns false. Coded data is skipped.
func jpegSegments(data []byte, f func(marker byte, payload []byte) bool) {
	p := 2
	for p+1 < len(data) {
		if data[p] != 0xff || data[p+1] == 0 || data[p+1] == 0xff || data[p+1]&0xf8 == 0xd0 {
			p++
			continue
		}
		m := data[p+1]
		p += 2
		if m == 0xd9 {
			return
		}
		if p+2 > len(data) {
			return
		}
		n := int(binary.BigEndian.Uint16(data[p:]))
		if n < 2 || p+n > len(data) {
			return
		}
		if !f(m, data[p+2:p+n]) {
			return
		}
		p += n
	}
}

func jpegMetadata(data []byte) (found metadata) {
	jpegSegments(data, func(m byte, p []byte) bool {
		if m == 0xe1 {
			if xmp, ok := bytes.CutPrefix(p, []byte("http://ns.adobe.com/xap/1.0/\x00")); ok {
				found.xmp = xmp
			}
			if found.exif == nil && len(p) > len(exifPrefix) && bytes.HasPrefix(p, []byte(exifPrefix)) {
				found.exif = p
			}
		}
		return m != 0xda
	})
	return found
}

// pngMetadata looks at all chunks: EXIF data may come after the pixels.
func pngMetadata(data []byte) (found metadata) {
	var profile []byte
	for p := 8; p+8 <= len(data); {
		n := uint64(binary.BigEndian.Uint32(data[p:]))
		if n > uint64(len(data)-p-8) {
			break
		}
		kind, payload := string(data[p+4:p+8]), data[p+8:p+8+int(n)]
		p += 12 + int(n)
		switch kind {
		case "IEND":
			p = len(data)
		case "eXIf":
			found.exif = payload
		case "tEXt", "zTXt", "iTXt":
			keyword, text, ok := bytes.Cut(payload, []byte{0})
			switch {
			case !ok:
			case string(keyword) == "Raw profile type exif":
				profile = pngText(kind, text)
			case string(keyword) == "XML:com.adobe.xmp":
				found.xmp = pngText(kind, text)
			}
		}
	}
	if found.exif == nil {
		found.exif = rawProfile(profile)
	}
	return found
}

// pngText returns the text after the keyword of a chunk, nil where it cannot be read.
func pngText(kind string, b []byte) []byte {
	packed := kind == "zTXt"
	switch {
	case kind == "tEXt":
		return b
	case len(b) < 2:
		return nil
	case packed:
		b = b[1:] // the method, of which there is one
	default:
		packed = b[0] != 0
		b = b[2:]
		for range 2 { // the language and the keyword in it
			_, after, ok := bytes.Cut(b, []byte{0})
			if !ok {
				return nil
			}
			b = after
		}
	}
	if !packed {
		return b
	}
	const most = 1 << 20 // as in Pillow; it may be packed a thousandfold
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	b, err = io.ReadAll(io.LimitReader(z, most))
	if err != nil {
		return nil
	}
	return b
}

// rawProfile decodes ImageMagick's form of binary data in text: an empty line, a name, a length, and lines of
// hexadecimal digits. It returns nil for any other text.
func rawProfile(text []byte) []byte {
	lines := bytes.SplitN(text, []byte("\n"), 4)
	if len(lines) < 4 {
		return nil
	}
	b, err := hex.DecodeString(string(bytes.Join(bytes.Fields(lines[3]), nil)))
	if err != nil {
		return nil
	}
	return b
}

func webpMetadata(data []byte) (found metadata) {
	webpChunks(data, func(id string, payload []byte) bool {
		switch id {
		case "EXIF":
			found.exif = payload
		case "XMP ":
			found.xmp = payload
		}
		return true
	})
	return found
}

// tiffMetadata returns the file itself, which has the form of EXIF data, and the XMP data in it.
func tiffMetadata(data []byte) metadata {
	d, _ := parseIFD(data)
	return metadata{data, d.bytes(tiffXMP)}
}
