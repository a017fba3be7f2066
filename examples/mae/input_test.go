package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/models/mae"
	"github.com/fovea-ml/fovea/models/vit"
)

// TestBadInput expects exit status 1 and one line that names the mistake.
func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	at := func(elem ...string) string { return filepath.Join(append([]string{dir}, elem...)...) }
	good := pngFile(t, 30, 30, 90)

	write(t, at("file"), []byte("x"))
	os.Mkdir(at("empty"), 0o777)
	write(t, at("one", "cats", "1.png"), good)
	write(t, at("loose", "1.png"), good)
	write(t, at("hollow", "cats", "1.png"), good)
	os.Mkdir(at("hollow", "dogs"), 0o777)
	write(t, at("lonely", "cats", "1.png"), good)
	write(t, at("lonely", "dogs", "1.png"), good)
	for name, data := range map[string][]byte{"truncated": good[:len(good)/2], "text": []byte("not an image"), "nothing": {}} {
		for _, class := range []string{"cats", "dogs"} {
			write(t, at(name, class, "1.png"), good)
			write(t, at(name, class, "2.png"), good)
		}
		write(t, at(name, "dogs", "bad.png"), data)
	}
	write(t, at("unreadable", "cats", "1.png"), good)
	write(t, at("unreadable", "dogs", "1.png"), good)
	if err := os.Symlink("nowhere.png", at("unreadable", "dogs", "2.png")); err != nil {
		t.Skip(err)
	}
	fine := folder(t, 3, "cats", "dogs")

	classifier := vit.New(vit.Config{EncoderConfig: tiny().Model.EncoderConfig}, 2, nil)
	classifier.Config.ModelType = "vit"
	if err := classifier.Save(at("classifier"), vit.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	r := tinyRun(t.TempDir())
	m, err := r.model(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cut", "weightless", "garbled"} {
		if err := m.Save(at(name), mae.SaveOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	weights := read(t, at("cut"), "model.safetensors")
	write(t, at("cut", "model.safetensors"), weights[:len(weights)-100])
	os.Remove(at("weightless", "model.safetensors"))
	write(t, at("garbled", "config.json"), []byte(`{"model_type": "vit_mae", "patch_size": 0}`))
	write(t, at("damaged", "resume", "run.json"), []byte("{"))

	for _, c := range []struct{ args, want string }{
		{"-nonsense", "nonsense"},
		{"images", `found "images"`},
		{"-epochs -1", "-epochs"},
		{"-epochs many", "-epochs"},
		{"-epochs 0", "-init"},
		{"-labels 0", "-labels"},
		{"-mask 1", "-mask"},
		{"-mask 0", "-mask"},
		{"-mask NaN", "-mask"},
		{"-mask 0.999", "-mask"},
		{"-threads -1", "-threads"},
		{"-threads 1000000000", "-threads"},
		{"-seed -1", "-seed"},
		{"-out file", "file is not a folder"},
		{"-data none", "none"},
		{"-data file", "file is not a folder"},
		{"-data empty", "no sub-folders"},
		{"-data one", `"cats" alone`},
		{"-data loose", "one sub-folder per class"},
		{"-data hollow", "dogs"},
		{"-data lonely", `"cats" has 1 readable`},
		{"-data truncated", "dogs/bad.png"},
		{"-data text", "dogs/bad.png"},
		{"-data nothing", "dogs/bad.png"},
		{"-data unreadable", "dogs/2.png"},
		{"-data hollow -out hollow/results", "in the folder of -data"},
		{"-init none", "none"},
		{"-init empty", "model.safetensors"},
		{"-init classifier", "vit_mae"},
		{"-init cut", "model.safetensors"},
		{"-init weightless", "weightless"},
		{"-init garbled", "patch_size"},
		{"-init out/pretrained", "-init"},
		{"-resume -out empty", "no unfinished run"},
		{"-resume -out none", "no unfinished run"},
		{"-resume -out damaged", "run.json"},
	} {
		t.Run(c.args, func(t *testing.T) {
			args := strings.Fields(c.args)
			for i, a := range args {
				if i > 0 && (args[i-1] == "-data" || args[i-1] == "-init" || args[i-1] == "-out") {
					args[i] = at(a)
				}
			}
			if !strings.Contains(c.args, "-out") {
				args = append(args, "-out", at("out"))
			}
			if strings.Contains(c.args, "-mask 0.999") {
				args = append(args, "-data", fine)
			}
			os.MkdirAll(at("out", "pretrained"), 0o777)
			var stdout, stderr bytes.Buffer
			if status := command(args, &stdout, &stderr); status != 1 {
				t.Errorf("exit status %d, expected 1", status)
			}
			text := stderr.String()
			if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
				t.Errorf("expected one line, found %q", text)
			}
			if !strings.Contains(text, c.want) {
				t.Errorf("found %q, expected %q in it", text, c.want)
			}
			t.Log(strings.TrimSpace(strings.ReplaceAll(text, dir, "DIR")))
			if stdout.Len() > 0 {
				t.Errorf("standard output holds %q", &stdout)
			}
		})
	}
}

// TestHelp checks that -h explains every flag.
func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if status := command([]string{"-h"}, &stdout, &stderr); status != 0 || stderr.Len() > 0 {
		t.Errorf("exit status %d, standard error %q", status, &stderr)
	}
	for _, name := range []string{"data", "init", "epochs", "labels", "mask", "out", "resume", "seed", "json", "skip-broken", "threads"} {
		if !strings.Contains(stdout.String(), "  -"+name) {
			t.Errorf("-h does not explain -%s", name)
		}
	}
}
