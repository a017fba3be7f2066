package vision

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image/jpeg"
	"io/fs"
	"os"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/data"
)

// TestDecodeSize compares with the size of the decoded image, for files of all formats, as they are and upright.
func TestDecodeSize(t *testing.T) {
	fsys := fstest.MapFS{}
	add := func(files fs.FS) {
		fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			content, err := fs.ReadFile(files, name)
			fsys[name] = &fstest.MapFile{Data: content}
			return err
		})
	}
	add(os.DirFS("testdata/decode"))
	cases := openCases(t)
	add(cases.given)
	add(cases.made)

	// Files of more than 64 KiB: noise, and a photograph with a long comment before its orientation and its header.
	noise := NewImage(190, 200, 3)
	r := data.NewRand(1)
	for i := range noise.Pix {
		noise.Pix[i] = uint8(r.Uint64())
	}
	fsys["noise.png"] = pngFile(t, noise)
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, noise, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	segment := func(marker byte, payload string) string {
		return string(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(payload)+2))) + payload
	}
	comment := segment(0xfe, string(make([]byte, 65000)))
	turned := segment(0xe1, "Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00")
	whole := photo.String()
	fsys["noise.jpg"] = &fstest.MapFile{Data: []byte(whole)}
	fsys["turned.jpg"] = &fstest.MapFile{Data: []byte(whole[:2] + turned + whole[2:])}
	fsys["comment.jpg"] = &fstest.MapFile{Data: []byte(whole[:2] + comment + turned + whole[2:])}

	sizes, turns := 0, 0
	for name := range fsys {
		var upright [2][2]int
		for i, o := range []DecodeOptions{{}, {ApplyOrientation: true}, {ReduceTo: 4}} {
			height, width, err := DecodeSize(fsys, name, o)
			m, decodeErr := DecodeFile(fsys, name, o)
			var d *DecodeError
			switch {
			case err != nil && !errors.As(err, &d):
				t.Errorf("%s: %T", name, err)
			case err != nil && decodeErr == nil:
				t.Errorf("%s: %v, and the image can be read", name, err)
			case decodeErr == nil && (height != m.Height || width != m.Width):
				t.Errorf("%s, %+v: found height %d and width %d, the image has %d and %d", name, o, height, width, m.Height, m.Width)
			case decodeErr == nil:
				sizes++
			}
			if i < 2 {
				upright[i] = [2]int{height, width}
			}
		}
		if upright[0] != upright[1] {
			turns++
		}
	}
	if sizes < 500 || turns < 10 {
		t.Errorf("%d sizes, %d of images to be turned", sizes, turns)
	}
	if height, width, err := DecodeSize(fsys, "comment.jpg", DecodeOptions{ApplyOrientation: true}); height != 200 || width != 190 || err != nil {
		t.Errorf("behind a comment of 64 KiB: height %d, width %d, %v", height, width, err)
	}
	for name, o := range map[string]DecodeOptions{"noise.png": {MaxPixels: 1000}, "noise.jpg": {MaxBytes: 70_000}, "444.jpg": {MaxBytes: 10}} {
		if _, _, err := DecodeSize(fsys, name, o); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v, expected ErrTooLarge", name, err)
		}
	}
	if _, _, err := DecodeSize(fsys, "none.png", DecodeOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
