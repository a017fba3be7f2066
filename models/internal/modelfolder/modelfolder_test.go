package modelfolder

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

func weights(t *testing.T, name string) *fstest.MapFile {
	t.Helper()
	var b bytes.Buffer
	if err := checkpoint.Encode(&b, []checkpoint.Entry{{Name: name, Shape: []int{2}, Floats: []float32{1, 2}}}, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: b.Bytes()}
}

// TestOpenWeights chooses the file of weights of a folder.
func TestOpenWeights(t *testing.T) {
	usual, release, other := weights(t, "usual"), weights(t, "release"), weights(t, "other")
	for _, c := range []struct {
		fsys  fstest.MapFS
		name  string
		want  string // the tensor that the file holds, or text of the error
		fails bool
	}{
		{fstest.MapFS{"model.safetensors": usual, "release.safetensors": release}, "", "usual", false},
		{fstest.MapFS{"release.safetensors": release, "notes.txt": usual}, "", "release", false},
		{fstest.MapFS{"release.safetensors": release, "other.safetensors": other}, "", "other.safetensors, release.safetensors", true},
		{fstest.MapFS{"release.safetensors": release, "other.safetensors": other}, "other.safetensors", "other", false},
		{fstest.MapFS{"model.safetensors": usual}, "gone.safetensors", "gone.safetensors", true},
		{fstest.MapFS{"notes.txt": usual}, "", "LoadOptions.File names another file", true},
		{fstest.MapFS{"model_best.pth.tar": release, "args.yaml": usual, "training_args.bin": other, "optimizer.pt": other}, "", "release", false},
		{fstest.MapFS{"epoch=3-step=10.ckpt": release, "pipe.pth": {Mode: fs.ModeNamedPipe}, "device.pth": {Mode: fs.ModeDevice}, "f.pt": {Mode: fs.ModeDir}}, "", "release", false},
		{fstest.MapFS{"model_best.pth.tar": release, "last.pth.tar": other}, "", "choose one by LoadOptions.File: last.pth.tar, model_best.pth.tar", true},
		{fstest.MapFS{"model.safetensors.index.json": {Data: []byte(`{"weight_map": {"a": "b.safetensors"}}`)}, "release.safetensors": release}, "", "b.safetensors", true},
	} {
		f, err := openWeights(c.fsys, models.LoadOptions{File: c.name})
		if c.fails || err != nil {
			if !c.fails || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q, fails %v: found the error %v", c.want, c.fails, err)
			}
			continue
		}
		if _, ok := f.Tensor(c.want); !ok {
			t.Errorf("expected the file with %q, found %s", c.want, f.Name())
		}
	}
	if _, err := openWeights(fstest.MapFS{}, models.LoadOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
}

// TestFormOf tells which library wrote a folder.
func TestFormOf(t *testing.T) {
	for config, want := range map[string]Form{
		`{"model_type": "vit"}`:     HuggingFace,
		`{}`:                        HuggingFace,
		`{"architecture": "vit_x"}`: Timm,
		`{"architecture": "x", "model_type": "timm_wrapper"}`: Timm,
		`{"architecture": "x", "model_type": "bert"}`:         HuggingFace,
	} {
		if form, data, err := formOf(fstest.MapFS{ConfigName: {Data: []byte(config)}}); err != nil || form != want || string(data) != config {
			t.Errorf("%s: found %v, %v", config, form, err)
		}
	}
	if form, _, err := formOf(fstest.MapFS{}); err != nil || form != Bare {
		t.Errorf("an empty folder: %v, %v", form, err)
	}
	if _, _, err := formOf(fstest.MapFS{ConfigName: {Data: []byte(`[`)}}); err == nil || !strings.Contains(err.Error(), ConfigName) {
		t.Errorf("broken: %v", err)
	}
}

// TestRescale keeps the proportions of a preprocessing.
func TestRescale(t *testing.T) {
	p := vision.ImageNet(224)
	rescale(&p, 384, Images{Height: 224, Width: 224, Channels: 3})
	if p.CropWidth != 384 || p.CropHeight != 384 || p.Width != 439 {
		t.Errorf("found %+v", p)
	}
}

var square = Images{Height: 16, Width: 16, Channels: 3}

// TestReadPreprocess refuses images so large that one would take a model hours.
func TestReadPreprocess(t *testing.T) {
	for config, ok := range map[string]bool{
		`{"size": {"height": 64, "width": 64}}`:                                                      true,
		`{"size": {"height": 65, "width": 8}}`:                                                       false,
		`{"size": {"height": 4096, "width": 4096}}`:                                                  false,
		`{"size": {"shortest_edge": 65}}`:                                                            false,
		`{"size": {"shortest_edge": 512}, "do_center_crop": true, "crop_size": 16}`:                  true,
		`{"size": {"shortest_edge": 512}, "do_center_crop": true, "crop_size": 500}`:                 false,
		`{"do_resize": false, "size": {"height": 512, "width": 512}}`:                                true,
		`{"do_resize": false, "do_center_crop": true, "crop_size": {"height": 1024, "width": 1024}}`: false,
	} {
		p, assumed, err := readPreprocess(fstest.MapFS{vision.PreprocessorName: {Data: []byte(config)}}, vision.Half(16), square)
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "at most 64×64") {
			t.Errorf("%s: %v", config, err)
		}
		if ok && (p == vision.Half(16) || assumed) {
			t.Errorf("%s: the file was not read", config)
		}
	}
	if p, assumed, err := readPreprocess(fstest.MapFS{}, vision.Half(16), square); err != nil || p != vision.Half(16) || !assumed {
		t.Errorf("no file: found %+v, %v", p, err)
	}
}

// sizes is a configuration of little.
type sizes struct {
	Nested
	Labels map[string]string `json:"labels"`
}

// Nested has fields that appear beside those around it.
type Nested struct {
	Size  int     `json:"size"`
	Share float32 `json:"share"`
}

func (sizes) Validate() error { return nil }

// TestConfigErrors says in words what a field should be.
func TestConfigErrors(t *testing.T) {
	for config, want := range map[string]string{
		`{"size": [16, 16]}`:      "c.json: size: expected a whole number, found array",
		`{"size": 1e30}`:          "c.json: size: expected a whole number, found number 1e30",
		`{"share": "x"}`:          "c.json: share: expected a number, found string",
		`{"labels": {"0": 3}}`:    "c.json: labels: expected text, found number 3",
		`{"labels": []}`:          "c.json: labels: expected an object, found array",
		`{"model_type": 7}`:       "c.json: model_type: expected text, found number 7",
		`[]`:                      "c.json: expected an object, found array",
		`{"model_type": "other"}`: `c.json: model_type: expected "small", found "other"`,
		`{"size": null}`:          "c.json: size: expected a whole number, found null",
		`{"size": 16.0}`:          "c.json: size: expected a whole number, found number 16.0",
		`{"size": "16"}`:          "c.json: size: expected a whole number, found string",
		`{"size": true}`:          "c.json: size: expected a whole number, found bool",
		`{"share": null}`:         "c.json: share: expected a number, found null",
		`{"share": 1} {}`:         "c.json: invalid JSON: expected the end of the file at byte 13, found '{'",
		`{"size": NaN}`:           "c.json: size: expected a whole number, found number NaN",
	} {
		_, err := ReadConfig(fstest.MapFS{"c.json": {Data: []byte(config)}}, "c.json", Family{Package: "p", ModelType: "small"}, sizes{})
		if err == nil || err.Error() != "p: "+want {
			t.Errorf("%s: expected %q, found %v", config, want, err)
		}
	}
}

// TestOtherPackage says which package loads a model of another type.
func TestOtherPackage(t *testing.T) {
	y := Family{ModelType: "vit", OwnType: "fovea_vit"}
	err := y.checkModelType(ConfigName, []byte(`{"model_type": "vit_mae"}`))
	if err == nil || !strings.Contains(err.Error(), "which package models/mae loads") {
		t.Errorf("found %v", err)
	}
	for _, own := range []string{`{"model_type": "vit"}`, `{"model_type": "fovea_vit"}`, `{}`} {
		if err := y.checkModelType(ConfigName, []byte(own)); err != nil {
			t.Error(err)
		}
	}
}

// two is a model of a linear layer and a batch normalization.
type two struct {
	Layer *nn.Linear
	Norm  *nn.BatchNorm
}

func newTwo() *two { return &two{Layer: nn.NewLinear(2, 3, true), Norm: nn.NewBatchNorm(3, true)} }

// small is the family of models with the configuration sizes.
var small = Family{
	Package: "small", ModelType: "small", Images: true,
	Names:       &checkpoint.Names{Columns: []string{"Hugging Face"}, Rules: []checkpoint.Rule{{"Layer", "fc"}, {"Norm", "bn"}}},
	Unsupported: []Trace{{"register", "register tokens"}},
}

// save writes a model with its values counted up, and returns the folder.
func save(t *testing.T, m *two, parts ...Part) string {
	t.Helper()
	n := float32(0)
	for _, v := range nn.Values(m) {
		v.Update(func(values []float32) {
			for i := range values {
				n++
				values[i] = n
			}
		})
	}
	dir := t.TempDir()
	half := vision.Half(16)
	c := Contents{Config: map[string]any{"model_type": "small", "size": 7, "part": map[string]int{"size": 9}}, Preprocess: &half, Parts: parts, Model: m}
	if err := small.Save(dir, c, models.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestRoundTrip saves a folder and reads everything in it back: configuration, nested configuration, preprocessing,
// parts, parameters and buffers.
func TestRoundTrip(t *testing.T) {
	from := newTwo()
	dir := save(t, from, Part{"vocab.txt", []byte("a\nb")})
	to, err := Load(os.DirFS(dir), small, models.LoadOptions{ImageSize: 32}, func(f *Folder) (*two, error) {
		var c, part sizes
		if err := f.Configure(&c); err != nil || c.Size != 7 {
			t.Errorf("the configuration is %+v, %v", c, err)
		}
		if err := f.Section("part", &part); err != nil || part.Size != 9 {
			t.Errorf("the nested configuration is %+v, %v", part, err)
		}
		part.Size = 5
		if err := f.Section("absent", &part); err != nil || part.Size != 5 {
			t.Errorf("an absent part of the configuration is %+v, %v", part, err)
		}
		if size := 16; f.Resize(&size, &c) != nil || size != 32 {
			t.Errorf("resized to %d", size)
		}
		if p, assumed, err := f.Preprocess(vision.ImageNet(16), square); err != nil || p.Width != 32 || assumed {
			t.Errorf("the preprocessing is %+v, assumed: %v, %v", p, assumed, err)
		}
		if data, err := fs.ReadFile(f.FS, "vocab.txt"); err != nil || string(data) != "a\nb" {
			t.Errorf("the part is %q, %v", data, err)
		}
		if rows, err := f.Rows("Layer.Weight", 2); rows != 3 || err != nil {
			t.Errorf("found %d rows, %v", rows, err)
		}
		m := newTwo()
		return m, f.Fill(m)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]float32{}
	for path, v := range nn.Values(from) {
		v.Update(func(values []float32) { want[path] = values })
	}
	for path, v := range nn.Values(to) {
		v.Update(func(values []float32) {
			if d := cmp.Diff(want[path], values); d != "" {
				t.Errorf("%s: %s", path, d)
			}
		})
	}
	if len(want) != 6 {
		t.Errorf("compared %d values, expected 6", len(want))
	}
}

// TestFill asks one hook after the other for tensors of another shape.
func TestFill(t *testing.T) {
	dir := save(t, newTwo())
	var asked []string
	no := func(param string, _ checkpoint.Tensor, _ []int) ([]float32, error) {
		asked = append(asked, param)
		return nil, nil
	}
	yes := func(param string, t checkpoint.Tensor, want []int) ([]float32, error) {
		v := make([]float32, t.Len())
		return v[:want[0]*want[1]], t.Floats(v)
	}
	m, err := Load(os.DirFS(dir), small, models.LoadOptions{}, func(f *Folder) (*two, error) {
		m := newTwo()
		m.Layer.Weight = autograd.NewParameter(2, 2)
		m.Layer.Bias = autograd.NewParameter(3)
		return m, f.Fill(m, no, yes)
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]float32{1, 2, 3, 4}, m.Layer.Weight.Values()); d != "" || !slices.Equal(asked, []string{"Layer.Weight"}) {
		t.Errorf("asked for %v: %s", asked, d)
	}
}

// TestRefused names what a family does not take.
func TestRefused(t *testing.T) {
	read := func(f *Folder) (*two, error) {
		_, err := f.Rows("Layer.Weight", 4)
		return nil, err
	}
	var b bytes.Buffer
	if err := checkpoint.Encode(&b, []checkpoint.Entry{{Name: "register.x", Shape: []int{1}, Floats: []float32{1}}}, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	text := small
	text.Images = false
	for want, load := range map[string]func() error{
		"small: model.safetensors: fc.weight: expected the shape [classes 4], found [3 2]": func() error {
			_, err := Load(os.DirFS(save(t, newTwo())), small, models.LoadOptions{}, read)
			return err
		},
		"a model with register tokens is not supported": func() error {
			_, err := Load(fstest.MapFS{"model.safetensors": {Data: b.Bytes()}}, small, models.LoadOptions{}, read)
			return err
		},
		"takes images of one size": func() error {
			_, err := Load(os.DirFS(save(t, newTwo())), small, models.LoadOptions{ImageSize: 4}, func(f *Folder) (*two, error) { return newTwo(), nil })
			return err
		},
		"takes no images": func() error {
			_, err := Load(fstest.MapFS{}, text, models.LoadOptions{ImageSize: 4}, read)
			return err
		},
		`layout: expected one of ["Hugging Face"], found "timm"`: func() error {
			return small.Save(t.TempDir(), Contents{Model: newTwo()}, models.SaveOptions{Layout: models.Timm})
		},
	} {
		if err := load(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q, found %v", want, err)
		}
	}
}

// TestSaveAdapter refuses a model with an adapter that is not merged, before anything is written.
func TestSaveAdapter(t *testing.T) {
	m := newTwo()
	m.Layer.Adapter = []*nn.LowRank{{A: autograd.NewParameter(1, 2), B: autograd.NewParameter(3, 1), Alpha: 1}}
	dir := filepath.Join(t.TempDir(), "model")
	save := func() error { return small.Save(dir, Contents{Config: struct{}{}, Model: m}, models.SaveOptions{}) }
	if err := save(); err == nil || !strings.Contains(err.Error(), "Layer has an adapter that is not merged") {
		t.Errorf("an adapter beside the weight: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("something was written")
	}
	m.Layer.Merge()
	if err := save(); err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.OpenFolder(os.DirFS(dir), checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"bn.bias", "bn.running_mean", "bn.running_var", "bn.weight", "fc.bias", "fc.weight"}, slices.Collect(f.Names())); d != "" {
		t.Error(d)
	}
}

// TestPipes opens folders whose files are pipes without a writer, or links to devices, and expects an error at once.
func TestPipes(t *testing.T) {
	family := Family{Package: "x", ModelType: "x", Names: &checkpoint.Names{}}
	for _, name := range []string{ConfigName, checkpoint.SafetensorsName, checkpoint.IndexName, checkpoint.TorchName, "model_best.pth.tar"} {
		for _, device := range []string{"", "/dev/zero", "/dev/tty"} {
			dir := t.TempDir()
			path := filepath.Join(dir, name)
			if device == "" {
				if err := exec.Command("mkfifo", path).Run(); err != nil {
					t.Skip("no pipes here: ", err)
				}
			} else if err := os.Symlink(device, path); err != nil {
				t.Skip(err)
			}
			ended := make(chan error, 1)
			go func() {
				_, err := open(os.DirFS(dir), family, models.LoadOptions{})
				if err == nil {
					err = errors.New("opened")
				} else if name != "model_best.pth.tar" || errors.Is(err, fs.ErrNotExist) { // which is passed over
					err = nil
				}
				ended <- err
			}()
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("%s, %s: %v", name, device, err)
				}
			case <-time.After(10 * time.Second):
				if w, err := os.OpenFile(path, os.O_RDWR, 0); err == nil {
					w.Close()
				}
				t.Fatalf("%s: waits", name)
			}
		}
	}
}

// TestFailedReplacement keeps a folder whose model cannot be replaced as it was.
func TestFailedReplacement(t *testing.T) {
	dir := save(t, newTwo())
	before, err := os.ReadFile(filepath.Join(dir, ConfigName))
	if err != nil {
		t.Fatal(err)
	}
	m := newTwo()
	nn.Constant(m.Layer.Weight, 1e6) // more than half precision holds
	c := Contents{Config: map[string]int{"size": 8}, Model: m}
	if err := small.Save(dir, c, models.SaveOptions{DType: checkpoint.F16}); err == nil {
		t.Fatal("a value beyond half precision was saved")
	}
	if after, err := os.ReadFile(filepath.Join(dir, ConfigName)); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the configuration became %s, %v", after, err)
	}
	if err := small.Save(dir, c, models.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(filepath.Join(dir, ConfigName)); err != nil || bytes.Equal(before, after) {
		t.Errorf("the configuration is still %s, %v", after, err)
	}
}

// TestOpen loads a folder, and a file of weights with and without a configuration beside it. Every error names the path.
func TestOpen(t *testing.T) {
	read := func(f *Folder) (string, error) {
		if f.Form == Bare {
			return f.Weights.Name(), f.Fill(newTwo())
		}
		var c sizes
		err := f.Configure(&c)
		return fmt.Sprintf("%s of size %d", f.Weights.Name(), c.Size), err
	}
	dir := save(t, newTwo())
	alone := filepath.Join(t.TempDir(), "release.safetensors")
	data, err := os.ReadFile(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	for path, data := range map[string][]byte{
		alone: data, filepath.Join(dir, "other.safetensors"): data, filepath.Join(dir, "notes.txt"): []byte("text"),
		filepath.Join(other, "a.safetensors"): data, filepath.Join(other, ConfigName): []byte(`{"model_type": "large"}`),
	} {
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		path, file string
		want       string
		fails      bool
	}{
		{dir, "", "model.safetensors of size 7", false},
		{dir, "other.safetensors", "other.safetensors of size 7", false},
		{filepath.Join(dir, "other.safetensors"), "", "other.safetensors of size 7", false},
		{alone, "", "release.safetensors", false},
		{alone, "release.safetensors", "LoadOptions.File: expected none", true},
		{filepath.Join(dir, "notes.txt"), "", "notes.txt", true},
		{filepath.Join(dir, "gone.safetensors"), "", "no such folder or file", true},
		{filepath.Join(other, "a.safetensors"), "", `config.json: model_type: expected "small", found "large"`, true},
		{other, "", `config.json: model_type: expected "small", found "large"`, true},
	} {
		found, err := Open(c.path, small, models.LoadOptions{File: c.file}, read)
		switch {
		case !c.fails && (err != nil || found != c.want):
			t.Errorf("%s, %q: expected %q, found %q, %v", c.path, c.file, c.want, found, err)
		case c.fails && (err == nil || !strings.HasPrefix(err.Error(), "small: ") || !strings.Contains(err.Error(), c.path) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s, %q: expected an error with the path and %q, found %v", c.path, c.file, c.want, err)
		}
	}
	if _, err := Open(filepath.Join(dir, "gone"), small, models.LoadOptions{}, read); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("found %v", err)
	}
	if _, err := Open(dir, small, models.LoadOptions{ImageSize: 32}, read); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("an image size: found %v", err)
	}
}
