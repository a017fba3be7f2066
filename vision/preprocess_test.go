package vision

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"image"
	"io/fs"
	"math"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/chewxy/math32"
	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/simd"
)

type goldenOutput struct {
	Size   [2]int
	SHA256 string
}

type goldenPreprocess struct {
	Ramps       map[string]map[string]string                  // by statistics and backend
	Processors  map[string]map[string]map[string]goldenOutput // by name, backend and size
	Torchvision map[string]map[string]goldenOutput
	Gray        map[string]goldenOutput
}

// backends are named in goldens as transformers names them.
var backends = map[string]Backend{"pil": Pillow, "torchvision": Torchvision, "timm": Timm}

func preprocessGolden(t *testing.T) *goldenPreprocess {
	data, err := os.ReadFile("testdata/preprocess.json")
	if err != nil {
		t.Fatal(err)
	}
	g := new(goldenPreprocess)
	if err := json.Unmarshal(data, g); err != nil {
		t.Fatal(err)
	}
	return g
}

func digest(v []float32) string {
	var b []byte
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// ramp holds every sample value in every channel.
func ramp() *Image {
	m := NewImage(16, 16, 3)
	for i := range m.Pix {
		m.Pix[i] = uint8(i / 3)
	}
	return m
}

func TestArithmetics(t *testing.T) {
	stats := map[string]Preprocess{
		"imagenet": {Mean: ImageNetMean, Std: ImageNetStd},
		"half":     {},
		"clip":     {Mean: CLIPMean, Std: CLIPStd},
		"raw":      {NoNormalize: true},
		"unscaled": {NoRescale: true},
	}
	for name, ways := range preprocessGolden(t).Ramps {
		for way, want := range ways {
			p := stats[name]
			p.Mode, p.Backend = NoResize, backends[way]
			dst, _, _, err := p.Pixels(nil, nil, ramp())
			if err != nil {
				t.Fatal(err)
			}
			if digest(dst) != want {
				t.Errorf("%s, %s: values differ; the first are %v", name, way, dst[:3])
			}
		}
	}
	a, b := make([]float32, 768), make([]float32, 768)
	ToCHW(a, ramp(), ImageNetMean, ImageNetStd)
	NewNormalizer(ImageNetMean, ImageNetStd, 0, Fused).ToCHW(b, ramp())
	if cmp.Equal(a, b) {
		t.Error("two arithmetics agree to the last bit: the test above shows nothing")
	}
}

func TestToCHWChannels(t *testing.T) {
	for _, channels := range []int{1, 4} {
		m := testImage(5, 9, channels)
		got, want := make([]float32, 135), make([]float32, 135)
		ToCHW(got, m, ImageNetMean, ImageNetStd)
		ToCHW(want, m.RGB(), ImageNetMean, ImageNetStd)
		if !cmp.Equal(got, want) {
			t.Errorf("%d channels: differs from the same image as RGB", channels)
		}
	}
}

func TestFromCHWInverts(t *testing.T) {
	m := testImage(10, 20, 3)
	v := make([]float32, 600)
	ToCHW(v, m, ImageNetMean, ImageNetStd)
	if !bytes.Equal(FromCHW(v, 10, 20, ImageNetMean, ImageNetStd).Pix, m.Pix) {
		t.Error("the image did not come back")
	}
	nan := float32(math.NaN())
	got := FromCHW([]float32{nan, float32(math.Inf(1)), -1e9}, 1, 1, [3]float32{}, [3]float32{1, 1, 1})
	if !bytes.Equal(got.Pix, []uint8{0, 255, 0}) {
		t.Errorf("NaN, +Inf, -1e9 became %v", got.Pix)
	}
}

func checkOutputs(t *testing.T, p *Preprocess, want map[string]goldenOutput) {
	t.Helper()
	for size, c := range want {
		var w, h int
		for i := range size {
			if size[i] == 'x' {
				w, h = atoi(size[:i]), atoi(size[i+1:])
			}
		}
		dst, height, width, err := p.Pixels(nil, simd.NewWorkers(2), testImage(h, w, 3))
		if err != nil {
			t.Errorf("%s: %v", size, err)
			continue
		}
		if width != c.Size[0] || height != c.Size[1] {
			t.Errorf("%s: output is %d×%d, want %v", size, width, height, c.Size)
			continue
		}
		if oh, ow := p.OutputSize(h, w); oh != height || ow != width {
			t.Errorf("%s: OutputSize says %d×%d", size, ow, oh)
		}
		if digest(dst) != c.SHA256 {
			t.Errorf("%s: values differ", size)
		}
	}
}

func atoi(s string) int {
	n := 0
	for _, c := range s {
		n = 10*n + int(c-'0')
	}
	return n
}

// processors returns the files of testdata/processors.json as model folders.
func processors(t testing.TB) map[string]fstest.MapFS {
	t.Helper()
	data, err := os.ReadFile("testdata/processors.json")
	if err != nil {
		t.Fatal(err)
	}
	var files map[string]map[string]json.RawMessage
	if err := json.Unmarshal(data, &files); err != nil {
		t.Fatal(err)
	}
	folders := map[string]fstest.MapFS{}
	for name, content := range files {
		folders[name] = fstest.MapFS{}
		for file, data := range content {
			folders[name][file] = &fstest.MapFile{Data: data}
		}
	}
	return folders
}

// TestGrayEqualsTimm prepares images of one channel as timm does for a model with in_chans=1.
func TestGrayEqualsTimm(t *testing.T) {
	golden := preprocessGolden(t).Gray
	if len(golden) != 8 {
		t.Fatalf("%d sizes", len(golden))
	}
	checkOutputs(t, &Preprocess{
		Backend: Timm, Gray: true, Mode: ShortSide, Width: 64, Filter: Bicubic, CropHeight: 56, CropWidth: 56,
		Mean: uniform(0.13), Std: uniform(0.31),
	}, golden)
}

// The settings in a model's files must give the libraries' outputs, bit for bit. So must the same settings after they
// are written and read again.
func TestProcessors(t *testing.T) {
	golden := preprocessGolden(t).Processors
	folders := processors(t)
	if len(golden) != len(folders) {
		t.Fatalf("%d goldens for %d processors", len(golden), len(folders))
	}
	for name, fsys := range folders {
		t.Run(name, func(t *testing.T) {
			p, err := LoadPreprocess(fsys)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := golden[name][map[Backend]string{Torchvision: "torchvision", Timm: "timm"}[p.Backend]]; !ok {
				t.Errorf("read for backend %d", p.Backend)
			}
			for backend, outputs := range golden[name] {
				p.Backend = backends[backend]
				data, err := json.Marshal(p)
				if err != nil {
					t.Fatal(err)
				}
				var again Preprocess
				if err := json.Unmarshal(data, &again); err != nil {
					t.Fatalf("%s: %v", data, err)
				}
				if d := cmp.Diff(p, again); d != "" {
					t.Errorf("after writing %s and reading: %s", data, d)
				}
				checkOutputs(t, &p, outputs)
			}
		})
	}
}

func TestTorchvision(t *testing.T) {
	g := preprocessGolden(t).Torchvision
	p := ImageNet(224)
	checkOutputs(t, &p, g["imagenet"])
	p = ImageNet(224)
	p.Mode, p.Width, p.CropHeight, p.CropWidth = NoResize, 0, 41, 52
	checkOutputs(t, &p, g["center_even"])
}

func TestPreprocessJSON(t *testing.T) {
	// The file of facebook/vit-mae-base: no type of its own, a bare size.
	old := `{"do_normalize": true, "do_resize": true, "feature_extractor_type": "ViTFeatureExtractor",
		"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 3, "size": 224}`
	var p Preprocess
	if err := json.Unmarshal([]byte(old), &p); err != nil {
		t.Fatal(err)
	}
	want := Preprocess{Backend: Torchvision, Width: 224, Height: 224, Filter: Bicubic, Mean: ImageNetMean, Std: ImageNetStd}
	if d := cmp.Diff(want, p); d != "" {
		t.Errorf("old file: %s", d)
	}
	out, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	wantJSON := `{"image_processor_type":"ViTImageProcessor","do_resize":true,"size":{"height":224,"width":224},"resample":3,` +
		`"do_rescale":true,"rescale_factor":0.00392156862745098,"do_normalize":true,` +
		`"image_mean":[0.485,0.456,0.406],"image_std":[0.229,0.224,0.225]}`
	if string(out) != wantJSON {
		t.Errorf("written as %s\nwant %s", out, wantJSON)
	}

	for _, bad := range []string{
		`[]`, `{"size": "big"}`, `{"size": {}}`, `{"size": {"height": -3, "width": 3}}`, `{"size": {"shortest_edge": -1}}`,
		`{"size": {"height": 1e3000}}`, `{"size": {"longest_edge": 5}}`, `{"resample": 9}`, `{"image_mean": [1, 2]}`,
		`{"image_std": [0.5, 0, 0.5]}`, `{"do_center_crop": true, "crop_size": {"height": 0}}`, `{"rescale_factor": 0}`,
		`{"size": {"height": 9000000000, "width": 3}}`, `{"size": {"max_height": 3}}`, `{"crop_size": 3, "do_center_crop": true, "image_mean": "half"}`,
		`{"image_processor_type": "DonutImageProcessor"}`, `{"image_processor_type": "Image"}`, `{"size_divisor": 32}`,
		`{"crop_pct": 0.9}`, `{"do_pad": true, "pad_size": {"height": 3, "width": 3}}`, `{"image_processor_type": "SamImageProcessor"}`,
		`{"do_center_crop": true}`, `{"pretrained_cfg": {"input_size": [2, 28, 28]}}`, `{"pretrained_cfg": {"crop_pct": -1}}`,
		`{"pretrained_cfg": {"interpolation": "random"}}`, `{"pretrained_cfg": {"crop_mode": "left"}}`, `{"pretrained_cfg": {"std": [1, 1, 0]}}`,
		`{"pretrained_cfg": {"input_size": [3, 1000000000, 1000000000]}}`, `{"pretrained_cfg": {"crop_pct": 1e-300}}`,
	} {
		if err := json.Unmarshal([]byte(bad), new(Preprocess)); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
	if _, err := LoadPreprocess(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

// The classes for segmentation and detection resize and never crop, whatever the file says.
func TestClassesThatNeverCrop(t *testing.T) {
	for _, name := range []string{"Segformer", "Detr", "ConditionalDetr", "DeformableDetr", "GroundingDino", "RTDetr", "Yolos"} {
		var p Preprocess
		file := `{"image_processor_type": "` + name + `ImageProcessor", "do_center_crop": true, "crop_size": {"height": 7, "width": 9}}`
		if err := json.Unmarshal([]byte(file), &p); err != nil || p.CropWidth != 0 || p.CropHeight != 0 {
			t.Errorf("%s: cropped to %d×%d, %v", name, p.CropWidth, p.CropHeight, err)
		}
	}
}

// TestYolosSizes expects the sizes of transformers' YolosImageProcessor.
func TestYolosSizes(t *testing.T) {
	p := Preprocess{Mode: ShortSide, Width: 800, MaxLong: 1333, Multiple: 16}
	for _, c := range [][4]int{
		{1325, 22, 1328, 16}, {22, 1325, 16, 1312}, {1500, 1500, 800, 800}, {480, 640, 800, 1056}, {89, 1335, 80, 1328}, {1379, 12, 1328, 0},
	} {
		if h, w := p.OutputSize(c[0], c[1]); h != c[2] || w != c[3] {
			t.Errorf("%d×%d: found %d×%d, expected %d×%d", c[0], c[1], h, w, c[2], c[3])
		}
	}
	data, err := json.Marshal(p)
	var again Preprocess
	if err != nil || json.Unmarshal(data, &again) != nil || again.Multiple != 16 || !strings.Contains(string(data), "Yolos") {
		t.Errorf("%s, %+v, %v", data, again, err)
	}
	p.Multiple = 14
	if data, err = json.Marshal(p); err != nil || json.Unmarshal(data, &again) != nil || again.Multiple != 14 {
		t.Errorf("%s, %+v, %v", data, again, err)
	}
	p.Mode = Stretch
	if p.Validate() == nil {
		t.Error("a multiple of a stretched image")
	}
}

func TestPixelsBatch(t *testing.T) {
	p := Half(16)
	images := []image.Image{testImage(30, 20, 3), testImage(10, 40, 1), image.NewGray(image.Rect(0, 0, 5, 5))}
	dst := make([]float32, 0, 3*3*16*16)
	got, h, w, err := p.Pixels(dst, simd.NewWorkers(2), images...)
	if err != nil {
		t.Fatal(err)
	}
	if w != 16 || h != 16 || len(got) != 3*3*16*16 || &got[0] != &dst[:1][0] {
		t.Fatalf("%d values of %d×%d, or the buffer was not used", len(got), w, h)
	}
	for i, m := range images {
		one, _, _, err := p.Pixels(nil, nil, m)
		if err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(one, got[i*768:(i+1)*768]) {
			t.Errorf("image %d differs from itself alone", i)
		}
	}
	if got, _, _, err := p.Pixels(nil, nil); err != nil || len(got) != 0 {
		t.Errorf("no images: %v, %v", got, err)
	}
	short := Preprocess{Mode: ShortSide, Width: 10}
	if _, _, _, err := short.Pixels(nil, nil, testImage(30, 20, 3), testImage(20, 20, 3)); !errors.Is(err, ErrSize) {
		t.Errorf("two sizes in one batch: %v", err)
	}
	if _, _, _, err := p.Pixels(nil, nil, testImage(3, 3, 3), nil); !errors.Is(err, ErrSize) {
		t.Errorf("nil image: %v", err)
	}
	if _, _, _, err := (&Preprocess{}).Pixels(nil, nil, testImage(3, 3, 3)); !errors.Is(err, ErrSize) {
		t.Errorf("zero Preprocess: %v", err)
	}
	mean := Preprocess{Height: 4, Width: 4, Mean: ImageNetMean}
	if _, _, _, err := mean.Pixels(nil, nil, testImage(3, 3, 3)); err == nil || !strings.Contains(err.Error(), "without a deviation") {
		t.Errorf("a mean without a deviation: %v", err)
	}
}

// TestPreprocessTooLarge expects an error, and no large allocation, for sizes from a hostile file or image.
func TestPreprocessTooLarge(t *testing.T) {
	narrow := ImageNet(224)
	for name, c := range map[string]struct {
		p *Preprocess
		m *Image
	}{
		"stretch":        {&Preprocess{Width: 1 << 20, Height: 1 << 20}, testImage(3, 3, 3)},
		"crop":           {&Preprocess{Mode: NoResize, CropWidth: 1 << 20, CropHeight: 1 << 20}, testImage(3, 3, 3)},
		"one pixel high": {&narrow, testImage(1, 300_000, 3)},
	} {
		if _, _, _, err := c.p.Pixels(nil, nil, c.m); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v, expected ErrTooLarge", name, err)
		}
	}
	var p Preprocess
	err := json.Unmarshal([]byte(`{"size": {"height": 268435456, "width": 268435456}}`), &p)
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("a preprocessor_config.json of 2^56 pixels gives %v", err)
	}
}

// TestPreprocessFinite expects no file of settings to make pixels that are not numbers, or to be taken for one
// without a deviation.
func TestPreprocessFinite(t *testing.T) {
	for _, text := range []string{
		`{"image_std":[1e-60,1e-60,1e-60]}`, `{"image_std":[1e-45,0.5,0.5]}`, `{"image_mean":[0.5,1e300,0.5]}`, `{"rescale_factor":1e308}`,
		`{"image_std":[0.5,1e300,0.5]}`, `{"do_normalize":false,"image_mean":[0.5,1e300,0.5]}`, `{"do_normalize":false,"image_std":[0.5,0.5,-1e300]}`,
	} {
		var p Preprocess
		if err := json.Unmarshal([]byte(text), &p); err == nil {
			t.Errorf("%s: expected an error", text)
		}
	}
	for _, text := range []string{`{"mean":[0.5,0.5,1e300]}`, `{"std":[0.5,1e300,0.5]}`} {
		if _, err := ParseTimm([]byte(`{"architecture":"vit","pretrained_cfg":`+text+`}`), false); err == nil {
			t.Errorf("timm's %s: expected an error", text)
		}
	}
	for _, p := range []Preprocess{
		{Width: 1, Height: 1, Std: [3]float32{1, math32.Inf(1), 1}}, {Width: 1, Height: 1, Mean: [3]float32{math32.NaN()}, Std: HalfStd}, {Width: 1, Height: 1, Scale: math.NaN()},
	} {
		if err := p.Validate(); err == nil {
			t.Errorf("%+v is valid", p)
		}
	}
}

// TestPreprocessRoundTrip expects what was written to be read as it was, down to the pixel a crop begins at.
func TestPreprocessRoundTrip(t *testing.T) {
	for _, p := range []Preprocess{
		Half(32), ImageNet(24),
		{Mode: ShortSide, Width: 20, CropWidth: 9, CropHeight: 8, Mean: CLIPMean, Std: CLIPStd, Backend: Torchvision, RowsFirst: true, Alpha: AlphaDroppedLast},
		{Mode: NoResize, Mean: HalfMean, Std: HalfStd, NoNormalize: true, Scale: 1. / 127.5, Backend: Timm},
	} {
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var back Preprocess
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(p, back); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
	for _, bad := range []string{`{"pixel_backend":"left"}`, `{"size_rule":"exact"}`, `{"size_rule":"fit","size":{"shortest_edge":3}}`, `{"crop_fill":[1,2]}`, `{"crop_fill":[1,2,256]}`} {
		if err := json.Unmarshal([]byte(bad), new(Preprocess)); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
	if _, err := json.Marshal(Preprocess{Width: 1, Height: 1, Backend: 9}); err == nil {
		t.Error("an unknown backend was written")
	}
}

// FuzzPreprocess reads hostile settings and prepares an image with them: an error or finite pixels, within the limit.
func FuzzPreprocess(f *testing.F) {
	for _, fsys := range processors(f) {
		for _, file := range fsys {
			f.Add(file.Data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, read := range []func() (Preprocess, error){
			func() (p Preprocess, err error) { return p, json.Unmarshal(data, &p) },
			func() (Preprocess, error) { return ParseTimm(data, true) },
			func() (Preprocess, error) { return LoadPreprocess(fstest.MapFS{processorName: {Data: data}}) },
		} {
			p, err := read()
			if err != nil {
				continue
			}
			p.MaxPixels = 1 << 16
			pixels, height, width, err := p.Pixels(nil, nil, testImage(7, 9, 3))
			if err != nil {
				continue
			}
			if len(pixels) != p.Channels()*width*height || width*height > 1<<16 {
				t.Fatalf("%d values, %d×%d", len(pixels), width, height)
			}
			for _, v := range pixels {
				if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
					t.Fatalf("%+v gives %v", p, v)
				}
			}
			text, err := json.Marshal(p)
			if err != nil {
				t.Fatalf("%+v: %v", p, err)
			}
			var back Preprocess
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
	})
}
