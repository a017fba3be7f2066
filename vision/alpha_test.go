package vision

import (
	"bytes"
	"encoding/json"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"testing"
)

// TestOnWhite compares all values with all alphas. The checksum is of what Pillow 13.0's alpha_composite gives.
func TestOnWhite(t *testing.T) {
	m := NewImage(256, 256, 4)
	for i := range 256 * 256 {
		m.Pix[4*i], m.Pix[4*i+3] = uint8(i%256), uint8(i/256)
	}
	red := make([]byte, 256*256)
	for i, out := 0, m.onWhite(); i < len(red); i++ {
		red[i] = out.Pix[3*i]
	}
	if sum := crc32.ChecksumIEEE(red); sum != 39276311 {
		t.Errorf("expected the checksum 39276311, found %d", sum)
	}
}

// TestAlphaKept reads alpha of the standard library's images and of a PNG file.
func TestAlphaKept(t *testing.T) {
	area := image.Rect(1, 2, 4, 4)
	straight := image.NewNRGBA(area)
	straight.Set(2, 3, color.NRGBA{200, 100, 50, 128})
	deep := image.NewNRGBA64(area)
	deep.Set(2, 3, color.NRGBA64{200 << 8, 100 << 8, 50 << 8, 128 << 8})
	palette := image.NewPaletted(area, color.Palette{color.NRGBA{}, color.NRGBA{200, 100, 50, 128}})
	palette.SetColorIndex(2, 3, 1)
	for _, m := range []image.Image{straight, deep, palette} {
		got, err := fromImageAlpha(m)
		if err != nil || got.Channels != 4 || !bytes.Equal(got.Pix[4*4:5*4], []uint8{200, 100, 50, 128}) || got.Pix[3] != 0 {
			t.Errorf("%T: found %v, %v", m, got, err)
		}
	}
	opaque := image.NewNRGBA(area)
	for i := range opaque.Pix {
		opaque.Pix[i] = 255
	}
	if got, err := fromImageAlpha(opaque); err != nil || got.Channels != 3 {
		t.Errorf("an opaque image: found %v, %v", got, err)
	}
	var file bytes.Buffer
	if err := png.Encode(&file, straight); err != nil {
		t.Fatal(err)
	}
	for alpha, channels := range map[bool]int{false: 3, true: 4} {
		if got, err := DecodeBytes(file.Bytes(), DecodeOptions{Alpha: alpha}); err != nil || got.Channels != channels {
			t.Errorf("Alpha %t: found %v, %v", alpha, got, err)
		}
	}
}

// TestAlphaRules writes and reads every rule for processors that lay images on white by default and for others, and
// prepares a transparent red image.
func TestAlphaRules(t *testing.T) {
	red := NewImage(2, 2, 4)
	for i := range 4 {
		red.Pix[4*i] = 255
	}
	for _, p := range []Preprocess{{Height: 2, Width: 2}, {Mode: ShortSide, Width: 2, CropHeight: 2, CropWidth: 2}} {
		for rule, green := range map[AlphaRule]float32{AlphaDropped: -1, AlphaDroppedLast: -1, AlphaOnWhite: 1} {
			p.Alpha, p.Mean, p.Std = rule, HalfMean, HalfStd
			data, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			var again Preprocess
			if err := json.Unmarshal(data, &again); err != nil || again.Alpha != rule {
				t.Errorf("%s: found %d, %v", data, again.Alpha, err)
			}
			pixels, _, _, err := again.Pixels(nil, nil, red)
			if err != nil || pixels[4] != green {
				t.Errorf("rule %d: green is %v, expected %v; %v", rule, pixels[4], green, err)
			}
		}
	}
	var p Preprocess
	if err := json.Unmarshal([]byte(`{"image_processor_type": "CLIPImageProcessor", "do_convert_rgb": null}`), &p); err != nil || p.Alpha != AlphaDropped {
		t.Errorf("null: found %v, %v", p.Alpha, err)
	}
	if err := (&Preprocess{Height: 2, Width: 2, Alpha: 9}).Validate(); err == nil {
		t.Error("an unknown rule is valid")
	}
}
