package jpeg

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// part makes a segment.
func part(m byte, p ...byte) []byte {
	return append([]byte{0xff, m, byte((len(p) + 2) >> 8), byte(len(p) + 2)}, p...)
}

func TestRefused(t *testing.T) {
	start := []byte{0xff, markSOI}
	end := []byte{0xff, markEOI}
	quant := part(markDQT, make([]byte, 65)...)
	gray := func(m, bits, height byte) []byte { return part(m, bits, 0, height, 0, 8, 1, 1, 0x11, 0) }
	scan := append(part(markSOS, 1, 1, 0, 0, 63, 0), 0, 0, 0)
	frame := func(sampling ...byte) []byte {
		p := []byte{8, 0, 8, 0, 8, byte(len(sampling))}
		for i, s := range sampling {
			p = append(p, byte(i), s, 0)
		}
		return part(markSOF0, p...)
	}
	for _, c := range []struct {
		name string
		data [][]byte
		kind error
		says string
	}{
		{"empty", nil, ErrCorrupt, "start"},
		{"start alone", [][]byte{start}, ErrCorrupt, "ends before"},
		{"no frame", [][]byte{start, end}, ErrCorrupt, "frame"},
		{"pixels before the frame", [][]byte{start, scan}, ErrCorrupt, "frame"},
		{"arithmetic without data", [][]byte{start, quant, gray(markSOF9, 8, 8), part(markSOS, 1, 1, 0, 0, 63, 0)}, ErrCorrupt, "row 0"},
		{"arithmetic conditions", [][]byte{start, gray(markSOF9, 8, 8), part(markDAC, 0, 1)}, ErrCorrupt, "conditioning 0x1 of table 0x0"},
		{"arithmetic conditions of no table", [][]byte{start, gray(markSOF9, 8, 8), part(markDAC, 32, 5)}, ErrCorrupt, "table 0x20"},
		{"arithmetic conditions cut", [][]byte{start, gray(markSOF9, 8, 8), part(markDAC, 16)}, ErrCorrupt, "odd"},
		{"hierarchical arithmetic", [][]byte{start, gray(0xcd, 8, 8)}, ErrUnsupported, "hierarchical"},
		{"lossless", [][]byte{start, gray(0xc3, 8, 8)}, ErrUnsupported, "lossless"},
		{"hierarchical", [][]byte{start, gray(0xc5, 8, 8)}, ErrUnsupported, "hierarchical"},
		{"12 bits", [][]byte{start, gray(markSOF1, 12, 8)}, ErrUnsupported, "12 bits"},
		{"height after the pixels", [][]byte{start, gray(markSOF0, 8, 0)}, ErrUnsupported, "DNL"},
		{"two components", [][]byte{start, frame(0x11, 0x11)}, ErrUnsupported, "2 components"},
		{"fractional ratio", [][]byte{start, frame(0x31, 0x21, 0x11)}, ErrUnsupported, "2×1"},
		{"sampling of zero", [][]byte{start, frame(0x11, 0x01, 0x11)}, ErrCorrupt, "0×1"},
		{"two frames", [][]byte{start, gray(markSOF0, 8, 8), gray(markSOF0, 8, 8)}, ErrCorrupt, "two frame"},
		{"no quantization", [][]byte{start, gray(markSOF0, 8, 8), scan, end}, ErrCorrupt, "quantization"},
		{"no pixels", [][]byte{start, quant, gray(markSOF0, 8, 8), end}, ErrCorrupt, "no pixels"},
		{"segment beyond the end", [][]byte{start, {0xff, markDQT, 1, 0}}, ErrCorrupt, "segment"},
		{"progressive band", [][]byte{start, quant, gray(markSOF2, 8, 8), part(markSOS, 1, 1, 0, 5, 64, 0)}, ErrCorrupt, "5 to 64"},
		{"progressive without tables", [][]byte{start, quant, gray(markSOF2, 8, 8), part(markSOS, 1, 1, 0, 0, 0, 0)}, ErrCorrupt, "Huffman"},
		{"component twice", [][]byte{start, quant, frame(0x11, 0x11, 0x11), part(markSOS, 2, 0, 0, 0, 0, 0, 63, 0)}, ErrCorrupt, "twice"},
		{"huge MCU", [][]byte{start, quant, frame(0x44, 0x44, 0x44), part(markSOS, 3, 0, 0, 1, 0, 2, 0, 0, 63, 0)}, ErrCorrupt, "blocks in an MCU"},
	} {
		_, _, _, err := decode(bytes.Join(c.data, nil), 8)
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, expected %v that says %q", c.name, err, c.kind, c.says)
		}
	}
}

// A frame of motion JPEG leaves out the usual tables.
func TestUsualTables(t *testing.T) {
	data := bytes.Join([][]byte{
		{0xff, markSOI}, part(markDQT, append([]byte{0}, bytes.Repeat([]byte{16}, 64)...)...),
		part(markSOF0, 8, 0, 8, 0, 8, 1, 1, 0x11, 0), part(markSOS, 1, 1, 0, 0, 63, 0),
		// A difference of 6 bits, 1110, worth 32, 100000; the end of the block, 1010; ones.
		{0b11101000, 0b00101011}, {0xff, markEOI},
	}, nil)
	_, _, pix, err := decode(data, 8)
	if err != nil {
		t.Fatal(err)
	}
	if want := bytes.Repeat([]byte{128 + 32*16/8}, 3*64); !bytes.Equal(pix, want) {
		t.Errorf("pixels %v", pix[:6])
	}
}

// Files cut short are refused wherever the cut leaves pixels out; files with bits turned over never panic.
func TestCorrupt(t *testing.T) {
	files, err := filepath.Glob("testdata/*.jpg")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	r := rand.New(rand.NewPCG(9, 10))
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(data)-4; n += 1 + len(data)/97 {
			if _, _, _, err := decode(data[:n], 8); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s cut to %d of %d bytes: error %v", name, n, len(data), err)
			}
		}
		for range 200 {
			b := bytes.Clone(data)
			for range 1 + r.IntN(3) {
				b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			}
			if h, err := ReadHeader(b); err == nil && h.Width*h.Height < 1<<20 {
				decode(b, 8)
			}
		}
	}
}
