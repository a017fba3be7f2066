package vision

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/oracle"
	"github.com/fovea-ml/fovea/simd"
)

// TestProcessorsAtFullSize prepares PNG files of odd shapes by every processor of testdata/processors.json; some are
// photographs, where there are any. It compares the results with those of transformers, on both of its backends, and
// of timm: within one level of 0..255 before normalizing. It needs FOVEA_PYTHON, the path of a Python that has them.
func TestProcessorsAtFullSize(t *testing.T) {
	dir := t.TempDir()
	prepare := oracle.Command(t, "transformers and timm", "vision_preprocess.py", dir)
	images := filepath.Join(dir, "images")
	if err := os.Mkdir(images, 0o777); err != nil {
		t.Fatal(err)
	}
	put := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(images, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for name, size := range map[string][2]int{"wide": {1023, 97}, "high": {333, 1001}, "odd": {641, 427}, "small": {37, 29}, "large": {2017, 1511}} {
		var b bytes.Buffer
		if err := WritePNG(&b, testImage(size[1], size[0], 3)); err != nil {
			t.Fatal(err)
		}
		put(name+".png", b.Bytes())
	}
	for _, name := range []string{"astronaut.png", "chelsea.png", "coffee.png"} {
		if data, err := os.ReadFile("../../shared/data/images/" + name); err == nil {
			put(name, data)
		}
	}
	data, err := os.ReadFile("testdata/processors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "processors.json"), data, 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := prepare.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	workers := simd.NewWorkers(2)
	compared, exact, worst := 0, 0, 0.0
	for name, fsys := range processors(t) {
		p, err := LoadPreprocess(fsys)
		if err != nil {
			t.Fatal(err)
		}
		std := p.Std
		levels := 255.0
		if p.NoRescale {
			levels = 1
		} else if p.Scale != 0 {
			levels = 1 / p.Scale
		}
		if p.NoNormalize {
			std = [3]float32{1, 1, 1}
		}
		outputs, err := fs.Glob(os.DirFS(filepath.Join(dir, name)), "*")
		if err != nil || len(outputs) == 0 {
			t.Fatalf("%s: %d outputs, %v", name, len(outputs), err)
		}
		for _, output := range outputs {
			data, err := os.ReadFile(filepath.Join(dir, name, output))
			if err != nil {
				t.Fatal(err)
			}
			image, backend, _ := strings.Cut(output, ".png.")
			m, err := DecodeFile(os.DirFS(images), image+".png", DecodeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			p.Backend = backends[backend]
			pixels, height, width, err := p.Pixels(nil, workers, m)
			if err != nil {
				t.Errorf("%s, %s: %v", name, output, err)
				continue
			}
			if h, w := int(binary.LittleEndian.Uint32(data)), int(binary.LittleEndian.Uint32(data[4:])); h != height || w != width {
				t.Errorf("%s, %s: %d×%d pixels, want %d×%d", name, output, width, height, w, h)
				continue
			}
			most, plane := 0.0, width*height
			for i, v := range pixels {
				want := math.Float32frombits(binary.LittleEndian.Uint32(data[8+4*i:]))
				most = max(most, math.Abs(float64(v-want))*float64(std[i/plane])*levels)
			}
			compared++
			if most == 0 {
				exact++
			}
			worst = max(worst, most)
			if !(most <= 1) {
				t.Errorf("%s, %s: up to %.3f levels apart, want at most 1", name, output, most)
			}
		}
	}
	t.Logf("%d outputs compared, %d of them equal to the last bit, the others within %.3g levels", compared, exact, worst)
}
