package checkpoint

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

const objects = torchData + "/objects"

// TestTorchObjects opens files with values of unknown classes beside the weights.
func TestTorchObjects(t *testing.T) {
	want := mustOpen(t, objects+"/expected.safetensors")
	for _, name := range []string{"wrapped2.pt", "wrapped3.pt", "wrapped5.pt", "legacy2.pt", "flat.pt"} {
		f := mustOpen(t, objects+"/"+name)
		sameTensors(t, name, f, want)
		for key, want := range map[string]string{"epoch": "7", "namespace.lr": "0.1", "namespace.out": "/a/b", "scalar": "0.5", "device": "cuda"} {
			if got, _ := f.Metadata(key); got != want {
				t.Errorf("%s: %s: expected %q, found %q", name, key, want, got)
			}
		}
	}
	want = mustOpen(t, objects+"/expected_pth.safetensors")
	files, err := filepath.Glob(objects + "/*.pth")
	if err != nil || len(files) != 8 {
		t.Fatalf("expected 8 files, found %q, %v", files, err)
	}
	for _, file := range files {
		base := filepath.Base(file)
		if base == "np_weights.pth" {
			_, err := Open(file, OpenOptions{})
			checkMalformed(t, err, `tensor "a.weight": expected a tensor, found a numpy array`)
			continue
		}
		sameTensors(t, base, mustOpen(t, file), bare(want, base+":"))
	}
}

// TestTorchRefused expects errors that name the tensor and the class that alone could make it.
func TestTorchRefused(t *testing.T) {
	for name, c := range map[string]struct{ tensor, want string }{
		"module": {"", "found a value of project.Net, which only Python can make: save the state_dict() of the model"},
		"model":  {"model", "found a value of project.Net"},
		"ema":    {"ema", "found a value of project.EMA"},
		"deque":  {"queue", "found a value of collections.deque"},
		"tensor": {"odd", "found a value of project.rebuild_odd"},
		"masked": {"mask", "found a value of numpy.ma.core._mareconstruct"},
	} {
		_, err := Open(objects+"/refused_"+name+".pt", OpenOptions{})
		checkMalformed(t, err, c.want)
		var format *FormatError
		if !errors.As(err, &format) || format.Tensor != c.tensor {
			t.Errorf("%s: expected an error about %q, found %v", name, c.tensor, err)
		}
	}
	for name, program := range map[string]string{
		"torch.storage._load_from_bytes":                    "ctorch.storage\n_load_from_bytes\n(B\x01\x00\x00\x00xtR",
		"torch._utils._rebuild_device_tensor_from_numpy":    "ctorch._utils\n_rebuild_device_tensor_from_numpy\n(NNtR",
		"torch.distributed.tensor.DTensor":                  "ctorch.distributed.tensor\nDTensor\n)\x81",
		"torch._utils._rebuild_tensor_of_the_future":        "ctorch._utils\n_rebuild_tensor_of_the_future\n)R",
		"project.rebuild":                                   "cproject\nrebuild\n((S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI1\ntQtR",
		"project.Rebuilt":                                   "cproject\nRebuilt\n)\x81}S'a'\n" + one + "sb",
		"project.Called, which only Python can make":        "ccopy_reg\n_reconstructor\n(cproject\nCalled\nc__builtin__\nobject\nNtR]" + one + "ab",
		"project.D, which only Python can make":             "cproject\nD\n)RS'a'\n" + one + "s",
		"project.L, which only Python can make":             "cproject\nL\n)R(" + one + "e",
		"project.Nested, which only Python can make":        "cproject\nNested\n(cproject\nInner\n(" + one + "tRtR",
		"builtins.getattr, which only Python can make":      "c__builtin__\ngetattr\n)R(" + one + "tR",
		"builtins.int, which only Python can make":          "c__builtin__\nint\n(" + one + "tR",
		"collections.OrderedDict, which only Python can ma": "ccollections\nOrderedDict\n)(dS'a'\n" + one + "s\x92",
	} {
		data := archive("\x80\x04"+state(program), map[string]string{"0": "\x00\x00\x80?"})
		_, err := Parse("x", data, OpenOptions{})
		checkMalformed(t, err, name)
		if err != nil && !strings.Contains(err.Error(), `tensor "x"`) {
			t.Errorf("%s: expected the tensor's name in %v", name, err)
		}
	}
}
