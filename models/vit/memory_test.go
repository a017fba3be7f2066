package vit

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/peak"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
)

// firstUse is the answer of a process that loads a model and uses it.
type firstUse struct {
	Peak   int64 // VmHWM in bytes
	Logits []float32
}

// half is one half of a ViT-B/16, for small images: 43 million parameters, where the program's own memory is a
// small part.
func half() Config {
	c := Base16()
	c.NumHiddenLayers, c.ImageSize = 6, 64
	return c
}

// TestMemory loads a model in processes of its own and bounds what they hold at most, the program included: a
// mapped weight and its packed form are not both kept, and weights in half precision stay so. It also compares
// logits, which are those of the widened weights to the bit.
func TestMemory(t *testing.T) {
	if dir := os.Getenv("FOVEA_TEST_MEMORY"); dir != "" {
		use(dir)
		return
	}
	if peak.Memory() == 0 {
		t.Skip("this system does not tell the peak of a process's memory (VmHWM in /proc/self/status)")
	}
	if peak.Racing() {
		t.Skip("the race detector takes several times the memory")
	}
	m := New(half(), 10, nil)
	i := 0
	for _, p := range nn.Parameters(m) {
		p.Update(func(v []float32) {
			for j := range v {
				v[j] = float32(i%255-127) / 4096 // what every type holds
				i++
			}
		})
	}
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, checkpoint.SafetensorsName)
	var want []float32
	for _, c := range []struct {
		dtype checkpoint.DType
		most  float64 // VmHWM in sizes of the file
	}{{checkpoint.F32, 1.4}, {checkpoint.F16, 1.6}, {checkpoint.BF16, 1.6}} {
		if err := checkpoint.Save(path, &names, nn.Parameters(m), checkpoint.WriteOptions{DType: c.dtype}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		child := exec.Command(os.Args[0], "-test.run=^TestMemory$", "-test.v")
		child.Env = append(os.Environ(), "FOVEA_TEST_MEMORY="+dir)
		out, err := child.CombinedOutput()
		if errors.Is(err, syscall.ENOEXEC) {
			t.Skip("this system cannot start the test's own program, as under emulation")
		}
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		var got firstUse
		_, line, _ := strings.Cut(string(out), "used ")
		if err := json.NewDecoder(strings.NewReader(line)).Decode(&got); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		ratio := float64(got.Peak) / float64(info.Size())
		t.Logf("%s: %.1f MB at most for a file of %.1f MB: %.2f", c.dtype, float64(got.Peak)/1e6, float64(info.Size())/1e6, ratio)
		if ratio > c.most {
			t.Errorf("%s: the process held %.2f times the file at most, expected %.1f", c.dtype, ratio, c.most)
		}
		if want == nil {
			want = got.Logits
		}
		if !slices.Equal(got.Logits, want) {
			t.Errorf("%s: logits %v, of the same weights in F32 %v", c.dtype, got.Logits, want)
		}
	}
}

// use loads a model, runs it twice and prints its peak of memory and the logits.
func use(dir string) {
	m, err := Load(os.DirFS(dir), LoadOptions{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	tape := autograd.NewTape(autograd.Options{Workers: simd.NewWorkers(2)})
	var u firstUse
	for range 2 {
		u.Logits = m.Forward(tape.Input(images(m.Config, 1), 1, 3, m.Config.ImageSize, m.Config.ImageSize)).Floats(nil)
		tape.Reset()
	}
	u.Peak = peak.Memory()
	line, err := json.Marshal(u)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Printf("used %s\n", line)
}
