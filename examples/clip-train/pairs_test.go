package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/vision"
)

// invoke runs the program and returns its status and output.
func invoke(args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = command(args, &out, &errs)
	return status, out.String(), errs.String()
}

// writePairs writes n images with a table and a shard of them, and returns the folder.
func writePairs(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	var shard bytes.Buffer
	w := tar.NewWriter(&shard)
	table := "filepath\ttitle\n"
	for i := range n {
		m := vision.NewImage(20+i, 24, 3)
		for k := range m.Pix {
			m.Pix[k] = uint8(i * 10)
		}
		name, caption := fmt.Sprintf("%02d.png", i), fmt.Sprintf("an image of gray number %d", i)
		if err := vision.SavePNG(filepath.Join(dir, name), m); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		table += name + "\t" + caption + "\n" + name + "\tthe same again\n"
		for name, body := range map[string][]byte{name: data, fmt.Sprintf("%02d.txt", i): []byte(caption)} {
			w.WriteHeader(&tar.Header{Name: name, Size: int64(len(body)), Mode: 0o644})
			w.Write(body)
		}
	}
	w.Close()
	for name, data := range map[string]string{"pairs.csv": table, "broken.csv": table + "none.png\tmissing\nempty.png\t\n", "0.tar": shard.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPairs(t *testing.T) {
	dir := writePairs(t, 20)
	for _, c := range []struct {
		data, stderr string
		args         []string
	}{
		{"pairs.csv", "18 training images with captions, 2 test images", nil},
		{"{0..0}.tar", "18 training images with captions, 2 test images", nil},
		{"broken.csv", "20 training images with captions, 2 test images", []string{"-skip-broken"}},
	} {
		args := append([]string{"-data", filepath.Join(dir, c.data), "-epochs", "2", "-batch", "6", "-threads", "2", "-json", "-out", t.TempDir()}, c.args...)
		status, stdout, stderr := invoke(args...)
		if status != 0 || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%s: found %d %s, expected %q", c.data, status, stderr, c.stderr)
			continue
		}
		var got struct {
			Loss      []float64
			Zeroshot  *float64 `json:"zeroshot_accuracy"`
			Retrieval *struct {
				Images int
				ToText map[string]float64 `json:"image_to_text"`
				Chance map[string]float64
			}
		}
		if err := json.Unmarshal([]byte(stdout), &got); err != nil || len(got.Loss) != 2 || got.Zeroshot != nil || got.Retrieval == nil || got.Retrieval.Images > 2 || got.Retrieval.ToText["5"] != 1 || got.Retrieval.Chance["5"] != 1 {
			t.Errorf("%s: %v: found %s", c.data, err, stdout)
		}
	}
	status, _, stderr := invoke("-data", filepath.Join(dir, "broken.csv"), "-out", t.TempDir())
	if status != 1 || !strings.Contains(stderr, "-skip-broken") {
		t.Errorf("found %d %q", status, stderr)
	}
}

func TestMistakes(t *testing.T) {
	dir, foreign := writePairs(t, 3), t.TempDir()
	if err := os.Mkdir(filepath.Join(foreign, "model"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"argument":    {[]string{"more"}, "expected flags only, found \"more\"\n"},
		"epochs":      {[]string{"-epochs", "-1"}, "-epochs: expected 0 to 1000000, found -1\n"},
		"batch":       {[]string{"-batch", "1"}, "-batch: expected 2 to 65536, found 1\n"},
		"few":         {[]string{"-data", filepath.Join(dir, "pairs.csv")}, "-data: expected at least 4 images with captions, found 3\n"},
		"no table":    {[]string{"-data", filepath.Join(dir, "none.csv")}, "-data: vision: table none.csv: stat: no such file or directory\n"},
		"no shard":    {[]string{"-data", filepath.Join(dir, "{0..1}.tar")}, "-data: vision: shard 1.tar: stat: no such file or directory\n"},
		"no run":      {[]string{"-resume", "-out", dir}, "-resume: " + dir + " holds no unfinished run\n"},
		"not its own": {[]string{"-out", foreign}, "-out: no run of this program wrote " + filepath.Join(foreign, "model") + ": move it, or choose another folder\n"},
	} {
		if c.args[0] == "-data" {
			c.args = append(c.args, "-out", t.TempDir())
		}
		status, _, stderr := invoke(c.args...)
		if status != 1 || stderr != "clip-train: "+c.want {
			t.Errorf("%s: found %d %q, expected %q", name, status, stderr, c.want)
		}
	}
	if status, stdout, _ := invoke("-h"); status != 0 || !strings.Contains(stdout, "-data table") {
		t.Errorf("-h: %d %s", status, stdout)
	}
}
