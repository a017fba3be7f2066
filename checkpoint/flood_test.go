package checkpoint

import (
	"archive/zip"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fovea-ml/fovea/internal/peak"
)

// floods are pickles of about n bytes that describe much.
var floods = map[string]func(n int) string{
	"None, twice":       func(n int) string { return strings.Repeat("N2", n/2) },
	"empty tuples":      func(n int) string { return strings.Repeat(")", n) },
	"empty lists":       func(n int) string { return strings.Repeat("]", n) },
	"empty dicts":       func(n int) string { return strings.Repeat("}", n) },
	"empty sets":        func(n int) string { return strings.Repeat("\x8f", n) },
	"marks":             func(n int) string { return strings.Repeat("(", n) },
	"marked tuples":     func(n int) string { return strings.Repeat("(t", n/2) },
	"nested lists":      func(n int) string { return strings.Repeat("]", n/2) + strings.Repeat("a", n/2-1) },
	"nested tuples":     func(n int) string { return ")" + strings.Repeat("\x85", n) },
	"pairs of the same": func(n int) string { return ")" + strings.Repeat("2\x86", n/2) },
	"small integers":    func(n int) string { return "(" + strings.Repeat("K\x07", n/2) + "t" },
	"integers":          func(n int) string { return "(" + strings.Repeat("M\xff\xff", n/3) + "t" },
	"floats":            func(n int) string { return "(" + strings.Repeat("G\x3f\xf0\x00\x00\x00\x00\x00\x01", n/9) + "l" },
	"floats in pieces": func(n int) string {
		return "]" + strings.Repeat("("+strings.Repeat("G\x3f\xf0\x00\x00\x00\x00\x00\x01", 1000)+"e", n/9002)
	},
	"long integers":       func(n int) string { return "(" + strings.Repeat("\x8a\x09123456789", n/11) + "t" },
	"empty strings":       func(n int) string { return "(" + strings.Repeat("X\x00\x00\x00\x00", n/5) + "t" },
	"short strings":       func(n int) string { return "(" + strings.Repeat("\x8c\x01a", n/3) + "t" },
	"bytes":               func(n int) string { return "(" + strings.Repeat("C\x00", n/2) + "t" },
	"a string":            func(n int) string { return "X" + le32(n) + strings.Repeat("s", n) },
	"a line of text":      func(n int) string { return "V" + strings.Repeat("\xff", n) + "\n" },
	"lines of text":       func(n int) string { return "(" + strings.Repeat("Va\n", n/3) + "t" },
	"a long dict":         func(n int) string { return "(" + strings.Repeat("K\x01N", n/3/2*2) + "d" },
	"a dict item by item": func(n int) string { return "}" + strings.Repeat("NNs", n/3) },
	"a list item by item": func(n int) string { return "]" + strings.Repeat("Na", n/2) },
	"memo":                func(n int) string { return "]" + strings.Repeat("\x94", n) },
	"memo, far": func(n int) string {
		return strings.Repeat("N0", n/4) + "]" + "r" + le32(n/4) + strings.Repeat("\x94", n/2)
	},
	"remembered": func(n int) string { return "]\x94(" + strings.Repeat("h\x00", n/2) + "t" },
	"dates": func(n int) string {
		return "cdatetime\ndatetime\n\x940(" + strings.Repeat("h\x00)R", n/4) + "t"
	},
	"dates of much":  func(n int) string { return "cdatetime\ndatetime\n\x940(" + strings.Repeat("h\x00]\x85R", n/5) + "t" },
	"deques":         func(n int) string { return "ccollections\ndeque\n)R" + strings.Repeat("]a", n/2) },
	"nested objects": func(n int) string { return "ca\nb\n" + strings.Repeat(")R", n/2) },
	"states":         func(n int) string { return "ca\nb\n)R" + strings.Repeat("]b", n/2) },
	"calls of an object with much": func(n int) string {
		return "(" + strings.Repeat("N", n/2) + "t\x940" + "cfoo\nbar\n)R\x940" + strings.Repeat("h\x01h\x00R0", n/12) + "}"
	},
	"calls of a name with much": func(n int) string {
		return "(" + strings.Repeat("N", n/2) + "t\x940" + "cfoo\nbar\n\x940" + strings.Repeat("h\x01h\x00R0", n/12) + "}"
	},
	"classes": func(n int) string {
		return "(" + manyPieces(n, func(i int) string { return fmt.Sprintf("ca\n%d\n", i) }) + "t"
	},
	"arrays": func(n int) string {
		return "(" + strings.Repeat("cnumpy.core.multiarray\n_reconstruct\n)R", n/39) + "t"
	},
	"copies of dicts": func(n int) string {
		return "(" + strings.Repeat("NN", n/4) + "d\x940" + strings.Repeat("ccollections\nCounter\n(h\x00tR", n/54)
	},
	"unequal stack": func(n int) string { return strings.Repeat("N", n/2) + strings.Repeat("0", n/2-1) },
	"objects": func(n int) string {
		return "cargparse\nNamespace\n)R}(" + strings.Repeat("K\x01N", n/6) + "u\x94" + strings.Repeat("b", 1) + strings.Repeat("h\x00b", n/6)
	},
	"storages": func(n int) string {
		return "(" + manyPieces(n, func(i int) string {
			return fmt.Sprintf("(S'storage'\nctorch\nFloatStorage\nS'%d'\nS'cpu'\nI1\ntQ", i)
		}) + "t"
	},
	"tensors of one storage": func(n int) string { return "}\x94(N" + one + "\x94" + manyPieces(n, key) + "u" },
	"a list of one tensor":   func(n int) string { return "(" + one + "\x94" + strings.Repeat("h\x00", n/2) + "t" },
	"a tensor below a long list": func(n int) string {
		return "(" + one + strings.Repeat("]", n) + "t"
	},
	"tensors with much metadata": func(n int) string {
		return "(dS'state_dict'\n(dS'x'\n" + one + "ss(" + manyPieces(n, func(i int) string { return fmt.Sprintf("X%s%06dK\x01", le32(6), i) }) + "u"
	},
	"the same dict often": func(n int) string {
		return "}S'model'\n(dS'x'\n" + one + "ss(" + "K\x01(" + strings.Repeat("NN", n/8) + "d\x94" +
			manyPieces(n/2, func(i int) string { return fmt.Sprintf("J%sh\x00", le32(i+2)) }) + "u"
	},
	"noise": func(n int) string { // bytes that shrink to a fifteenth, as many as an archive may hold
		return "(C\x00X" + le32(n-n/16) + strings.Repeat("s", n-n/16) + manyPieces(n/16, func(i int) string { return fmt.Sprintf("J%s", le32(i*0x9e3779b1)) }) + "t"
	},
	"flags of tensors": func(n int) string {
		return "(" + strings.Repeat("NN", n/4) + "d\x940(" + strings.Repeat("ctorch._utils\n_rebuild_tensor_v2\n(NNNNNNh\x00tR", n/50) + "t"
	},
}

// one is a tensor of one number.
var one = pickled("FloatStorage", "0", 1, "0", "1", "1")

func key(i int) string { return "J" + le32(i) + "h\x01" }

func le32(n int) string { return string([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}) }

func manyPieces(n int, piece func(i int) string) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(piece(i))
	}
	return b.String()
}

// TestFloods opens floods in processes of their own. The peak of their memory grows by at most 64 MB and four times
// the file, and the time at most by 2.3 where the file doubles. Files of a quarter are compared, because times vary, and a
// time too short to tell anything passes.
func TestFloods(t *testing.T) {
	if file := os.Getenv("FOVEA_FLOOD"); file != "" {
		before := peak.Memory()
		_, err := Open(file, OpenOptions{})
		fmt.Printf("FLOOD %d %v\n", peak.Memory()-before, err)
		return
	}
	if peak.Memory() == 0 {
		t.Skip("this system does not tell the peak of a process's memory (VmHWM in /proc/self/status)")
	}
	if peak.Racing() {
		t.Skip("the race detector takes several times the memory")
	}
	size := 4_000_000
	if testing.Short() {
		size = 2_000_000
	}
	dir := t.TempDir()
	open := func(name string, n int, method uint16) (took time.Duration, bytes, length int64, result string) {
		file, data := filepath.Join(dir, TorchName), []byte(nil)
		if list, ok := listFloods[name]; ok {
			file, data = filepath.Join(dir, list.file), list.make(n)
		} else {
			data = zipped(method, [][2]string{{"a/data.pkl", "\x80\x02" + floods[name](n) + "."}}, map[string]string{"0": "\x00\x00\x80?"})
		}
		if err := os.WriteFile(file, data, 0o666); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestFloods$")
		cmd.Env = append(os.Environ(), "FOVEA_FLOOD="+file)
		out, err := cmd.Output()
		if _, rest, ok := strings.Cut(string(out), "FLOOD "); ok {
			fmt.Sscan(rest, &bytes)
			result, _, _ = strings.Cut(rest, "\n")
		}
		if errors.Is(err, syscall.ENOEXEC) {
			t.Skip("an emulator cannot start the test again")
		}
		if err != nil || bytes == 0 {
			t.Errorf("%s: %v: %s", name, err, out)
		}
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), bytes, int64(len(data)), result
	}
	names := append(slices.Sorted(maps.Keys(floods)), slices.Sorted(maps.Keys(listFloods))...)
	for _, name := range names {
		for _, method := range []uint16{zip.Store, zip.Deflate} {
			whole, bytes, length, result := open(name, size, method)
			if limit := 64<<20 + 4*length; bytes > limit {
				t.Errorf("%s: a file of %d bytes took %d bytes of memory, more than %d", name, length, bytes, limit)
			}
			const floor = 400 * time.Millisecond // less says nothing: steps that go with the square take many seconds
			quarter := whole
			if whole > floor {
				quarter, _, _, _ = open(name, size/4, method)
			}
			const twice = 2.3 * 2.3
			for range 4 { // the least of several, because other programs run
				if whole <= floor || whole.Seconds() < twice*quarter.Seconds() {
					break
				}
				again, _, _, _ := open(name, size, method)
				whole = min(whole, again)
				again, _, _, _ = open(name, size/4, method)
				quarter = min(quarter, again)
			}
			t.Logf("%-28s %8d bytes: %.1f MB, %v, a quarter %v: %.200s", name, length, float64(bytes)/1e6, whole, quarter, result)
			if whole > floor && whole.Seconds() > twice*quarter.Seconds() {
				t.Errorf("%s: a file of %d bytes took %v, a quarter of it %v", name, length, whole, quarter)
			}
			if !strings.HasPrefix(result[strings.IndexByte(result, ' ')+1:], "checkpoint: ") && !strings.Contains(result, "<nil>") {
				t.Errorf("%s: %s", name, result)
			}
			if method == zip.Store && !incompressible[name] {
				break
			}
		}
	}
}

// incompressible are floods that an archive may hold deflated.
var incompressible = map[string]bool{"classes": true, "tensors with much metadata": true, "the same dict often": true, "noise": true}
