package vit

import (
	"bytes"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/checkpoint"
)

// TestHostileGoogle reads tensors without values whose shapes are huge, and tensors that are larger than their file.
func TestHostileGoogle(t *testing.T) {
	file := func(e checkpoint.Entry) *checkpoint.File {
		var b bytes.Buffer
		if err := checkpoint.Encode(&b, []checkpoint.Entry{e}, checkpoint.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		f, err := checkpoint.Parse("x.safetensors", b.Bytes(), checkpoint.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	empty := file(checkpoint.Entry{Name: "embedding/kernel", Shape: []int{0, 1, 1, 1 << 58}})
	if _, err := fromGoogle(empty); err == nil || !strings.Contains(err.Error(), "expected values") {
		t.Errorf("found %v", err)
	}
	f := file(checkpoint.Entry{Name: "embedding/kernel", Shape: []int{1, 1, 1, 4}, Floats: make([]float32, 4)})
	g := &google{file: f, stacks: map[string][]float32{}, room: 3}
	if g.read("embedding/kernel", -1); g.err == nil || !strings.Contains(g.err.Error(), "larger than the file") {
		t.Errorf("found %v", g.err)
	}
}

// TestSaveResizing saves a DINOv2 with the resizing of its original release.
func TestSaveResizing(t *testing.T) {
	for _, kind := range []string{dinov2Type, registersType} {
		c := dinoDefaults(kind)
		c.AntialiasPositions, c.PositionOffset = kind == dinov2Type, 0.1
		data, err := c.writeDINO()
		if err != nil {
			t.Fatal(err)
		}
		var found Config
		if err := found.readDINO(kind, data); err != nil {
			t.Fatal(err)
		}
		if found.AntialiasPositions != c.AntialiasPositions || found.PositionOffset != c.PositionOffset {
			t.Errorf("%s: found %v, %v", kind, found.AntialiasPositions, found.PositionOffset)
		}
	}
}
