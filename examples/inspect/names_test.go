package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/hubtest"
)

// TestStatsF64 checks that values beyond float32 are finite.
func TestStatsF64(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big.safetensors")
	head, data := []string{}, []byte{}
	double := func(name string, values ...float64) {
		head = append(head, fmt.Sprintf(`"%s":{"dtype":"F64","shape":[%d],"data_offsets":[%d,%d]}`, name, len(values), len(data), len(data)+8*len(values)))
		for _, v := range values {
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
		}
	}
	double("big", 1e300, -1e300, 2e300)
	double("huge", math.MaxFloat64, math.MaxFloat64, math.MaxFloat64)
	double("mixed", math.Inf(1), 1e39, math.NaN())
	double("small", 1e-310, 3e-310)
	double("usual", 0.5, -2)
	text := "{" + strings.Join(head, ",") + "}"
	file := append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
	if err := os.WriteFile(path, append(file, data...), 0o666); err != nil {
		t.Fatal(err)
	}
	text = inspect(t, "-stats", path)
	for _, line := range []string{
		"-1e+300 to 2e+300, mean 6.667e+299\n",
		"1.798e+308 to 1.798e+308, mean 1.798e+308\n",
		"1e+39 to 1e+39, mean 1e+39, 1 NaN, 1 infinite\n",
		"1e-310 to 3e-310, mean 2e-310\n",
		"-2 to 0.5, mean -0.75\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("expected %q in\n%s", line, text)
		}
	}
	if s := inspect(t, "-stats", "-json", path); !strings.Contains(s, `"stats":{"min":-1e+300,"max":2e+300,"mean":6.666666666666667e+299,"nan":0,"infinite":0}`) {
		t.Errorf("found %s", s)
	}
}

// TestNames shows a file in a folder whose name holds control characters and bytes that are not UTF-8.
func TestNames(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("the system allows UTF-8 names only")
	}
	dir := filepath.Join(t.TempDir(), "a\u009b2J\u202e\xff\xfe")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Skip(err)
	}
	path := filepath.Join(dir, "model.safetensors")
	if err := checkpoint.Write(path, []checkpoint.Entry{{Name: "x\u202ey", Shape: []int{1}, Floats: []float32{1}}}, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if status := command([]string{"-to", filepath.Join(dir, "\xff.safetensors"), path}, &stdout, &stderr); status != 1 || !strings.Contains(stderr.String(), "UTF-8") {
		t.Errorf("-to a name that is not UTF-8: status %d, %s", status, &stderr)
	}
	text := inspect(t, "-json", path)
	for _, r := range text {
		if r != '\n' && (r < ' ' || r > '~') {
			t.Errorf("found %q raw in %s", r, text)
		}
	}
	for _, part := range []string{`a\u009b2J\u202e\udcff\udcfe/model.safetensors"`, `"name":"x\u202ey"`} {
		if !strings.Contains(text, part) {
			t.Errorf("expected %s in %s", part, text)
		}
	}
	if !json.Valid([]byte(text)) {
		t.Errorf("not JSON: %s", text)
	}
}

// TestOwnerIsFile fetches a model whose owner is also the name of a file.
func TestOwnerIsFile(t *testing.T) {
	h := hubtest.New()
	defer h.Close()
	data, err := os.ReadFile(filepath.Join(stored, "types.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	h.Add("somebody/types", map[string][]byte{"config.json": []byte("{}"), "model.safetensors": data})
	h.Use(t)
	t.Chdir(t.TempDir())
	if err := os.WriteFile("somebody", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if text := inspect(t, "somebody/types"); !strings.Contains(text, "tensors") {
		t.Errorf("found %s", text)
	}
	var stdout, stderr bytes.Buffer
	if status := command([]string{"somebody/model.safetensors"}, &stdout, &stderr); status != 1 || strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("status %d, %s", status, &stderr)
	}
}

// TestFullDisk expects status 1 when the output cannot be written.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	file := stored + "/types.safetensors"
	for _, args := range [][]string{{"-h"}, {file}, {"-json", file}} {
		var stderr bytes.Buffer
		if status := command(args, full, &stderr); status != 1 || !strings.HasPrefix(stderr.String(), "inspect: ") || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%s: status %d, %q", args, status, &stderr)
		}
	}
}
