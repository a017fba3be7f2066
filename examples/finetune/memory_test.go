package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/fovea-ml/fovea/internal/peak"
	"github.com/fovea-ml/fovea/models/vit"
)

// inProcess is the variable of the environment with the arguments of a run in a process of its own, as JSON.
const inProcess = "FINETUNE_ARGUMENTS"

// TestExpectedMemory compares the memory that full fine-tuning takes beyond a head with what was expected, in processes of their
// own.
func TestExpectedMemory(t *testing.T) {
	if args := os.Getenv(inProcess); args != "" {
		var list []string
		if err := json.Unmarshal([]byte(args), &list); err != nil {
			t.Fatal(err)
		}
		os.Exit(command(list, os.Stdout, os.Stderr))
	}
	if testing.Short() || peak.Memory() == 0 || peak.Racing() {
		t.Skip("needs time, VmHWM in /proc/self/status, and no race detector")
	}
	dir := t.TempDir()
	data, folder := paint(t, filepath.Join(dir, "data"), 12, "blood", "leaf", "sky"), filepath.Join(dir, "model")
	c := vit.Tiny16()
	c.SetSize(64, 64)
	c.PatchSize, c.NumHiddenLayers = 8, 3
	if err := vit.New(c, 0, rand.New(rand.NewPCG(1, 2))).Save(folder, vit.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	measure := func(method string, args ...string) (expected, found int64) {
		args = append(args, "-model", folder, "-data", data, "-method", method, "-budget", "10h", "-json", "-threads", "2", "-out", filepath.Join(dir, method))
		list, err := json.Marshal(args)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestExpectedMemory$")
		cmd.Env = append(os.Environ(), inProcess+"="+string(list), "GOGC=20")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s", method, err, &stderr)
		}
		var a struct {
			Expected []struct{ Bytes int64 }
			Peak     int64
		}
		if err := json.Unmarshal(out, &a); err != nil || len(a.Expected) != 1 {
			t.Fatalf("%s: %v\n%s", method, err, out)
		}
		return a.Expected[0].Bytes, a.Peak
	}
	headExpected, headFound := measure("head")
	fullExpected, fullFound := measure("full", "-epochs", "2")
	expected, found := fullExpected-headExpected, fullFound-headFound
	t.Logf("expected %d and %d bytes, found %d and %d", headExpected, fullExpected, headFound, fullFound)
	if ratio := float64(found) / float64(expected); !(ratio > 0.6 && ratio < 1.7) || expected < 48<<20 {
		t.Errorf("full fine-tuning takes %d bytes beyond a head, %.2f times the expected %d", found, ratio, expected)
	}
}
