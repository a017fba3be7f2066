package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// archive returns an archive of torch.save with the given pickle and storages.
func archive(pickle string, storages map[string]string) []byte {
	return zipped(zip.Store, [][2]string{{"a/data.pkl", pickle}, {"a/byteorder", "little"}}, storages)
}

func zipped(method uint16, entries [][2]string, storages map[string]string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for key, data := range storages {
		entries = append(entries, [2]string{"a/data/" + key, data})
	}
	for _, e := range entries {
		w, err := z.CreateHeader(&zip.FileHeader{Name: e[0], Method: method})
		if err == nil {
			_, err = w.Write([]byte(e[1]))
		}
		if err != nil {
			panic(err)
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// pickled is a tensor as opcodes of protocol 0; shape and strides are lists of numbers with spaces between.
func pickled(storage, key string, count int64, offset, shape, strides string) string {
	return fmt.Sprintf("ctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\n%s\nS'%s'\nS'cpu'\nI%d\ntQI%s\n(%st(%stI00\n(dtR",
		storage, key, count, offset, numbers(shape), numbers(strides))
}

func numbers(list string) string {
	var b strings.Builder
	for _, n := range strings.Fields(list) {
		b.WriteString("I" + n + "\n")
	}
	return b.String()
}

// state is a dictionary of one tensor x.
func state(tensor string) string { return "(dS'x'\n" + tensor + "s." }

// quickly expects that f ends soon, and takes memory of a small multiple of the file.
func quickly(t *testing.T, size int, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	total := spent(t, f)
	runtime.ReadMemStats(&after)
	limit := uint64(64<<20 + 4*size)
	if total > 2*limit { // with values that the collector frees on the way
		t.Errorf("a file of %d bytes took %d bytes of memory", size, total)
	}
	if held := after.HeapSys - min(after.HeapSys, before.HeapSys); held > limit {
		t.Errorf("a file of %d bytes took %d bytes from the system", size, held)
	}
}

// TestBadTorch opens malformed archives. A case without an expected error must open.
func TestBadTorch(t *testing.T) {
	four := map[string]string{"0": strings.Repeat("\x00\x00\x80?", 4)}
	float := func(offset, shape, strides string) string {
		return state(pickled("FloatStorage", "0", 4, offset, shape, strides))
	}
	const call = "(S'echo'\ntR"
	deep := func(open, end string, n int) string { return strings.Repeat(open, n) + strings.Repeat(end, n) }
	for _, c := range []struct {
		name, pickle string
		want         string
	}{
		{"fine", float("0", "2 2", "2 1"), ""},
		{"fine, from the end", float("4", "0", "1"), ""},
		{"fine, expanded", float("3", "1000", "0"), ""},
		{"fine, nothing in it", "(d.", ""},
		{"goes past", float("0", "5", "1"), `tensor "x": shape [5] with strides [1] from element 0 goes past the 4 elements`},
		{"goes past by its offset", float("1", "2 2", "2 1"), "goes past the 4 elements"},
		{"goes past by its strides", float("0", "2 2", "3 1"), "goes past the 4 elements"},
		{"offset beyond", float("5", "0", "1"), `tensor "x": expected to start within the 4 elements`},
		{"huge offset", float("9223372036854775807", "1", "1"), "found offset 9223372036854775807"},
		{"negative offset", float("-1", "1", "1"), "found offset -1"},
		{"huge stride", float("0", "2", "9223372036854775807"), "goes past"},
		{"huge strides", float("0", "3 3", "4611686018427387904 4611686018427387904"), "goes past"},
		{"negative stride", float("3", "4", "-1"), "expected non-negative sizes, found -1"},
		{"negative size", float("0", "-4", "1"), "expected non-negative sizes, found -4"},
		{"huge shape", float("0", "4294967296 4294967296", "0 0"), "overflows"},
		{"huge expanded shape", float("0", "1099511627776", "0"), "more than the file has"},
		{"zero hides overflow", float("0", "0 4294967296 4294967296", "0 0 0"), "overflows"},
		{"fewer strides", float("0", "2 2", "1"), "has 2 dimensions and 1 strides"},
		{"rank 65", float("0", strings.Repeat("1 ", 65), strings.Repeat("1 ", 65)), "more than 64 dimensions"},
		{"shape of strings", strings.Replace(float("0", "2", "1"), "I2\n", "S'2'\n", 1), "expected integers, found a string"},
		{"type too wide", state(pickled("DoubleStorage", "0", 4, "0", "4", "1")), `tensor "x": expected 32 bytes, found 16`},
		{"type too narrow", state(pickled("HalfStorage", "0", 4, "0", "4", "1")), "expected 8 bytes, found 16"},
		{"huge storage", state(pickled("FloatStorage", "0", 1<<40, "0", "4", "1")), "expected 4398046511104 bytes, found 16"},
		{"overflowing storage", state(pickled("DoubleStorage", "0", 1<<61, "0", "4", "1")), "has 2305843009213693952 elements"},
		{"negative storage", state(pickled("FloatStorage", "0", -4, "0", "4", "1")), "has -4 elements"},
		{"no such storage", state(pickled("FloatStorage", "1", 4, "0", "4", "1")), `tensor "x": expected an entry "a/data/1"`},
		{"storage outside", state(pickled("FloatStorage", "../byteorder", 4, "0", "4", "1")), "not found"},
		{"two types of a storage", "(dS'x'\n" + pickled("FloatStorage", "0", 4, "0", "4", "1") + "sS'y'\n" + pickled("IntStorage", "0", 4, "0", "4", "1") + "s.", `storage "0" is 4 of float32, and 4 of int32`},
		{"the same name twice", "(dS'x'\n" + pickled("FloatStorage", "0", 4, "0", "4", "1") + "sS'x'\n" + pickled("FloatStorage", "0", 4, "0", "4", "1") + "s.", `tensor "x": name is given twice`},
		{"unknown storage", state(pickled("EvilStorage", "0", 4, "0", "4", "1")), "found torch.EvilStorage"},

		{"calls", "cos\nsystem\n" + call + ".", "found a value of os.system"},
		{"calls posix", "cposix\nsystem\n" + call + ".", "found a value of posix.system"},
		{"calls eval", "c__builtin__\neval\n" + call + ".", "found a value of builtins.eval"},
		{"calls getattr", "cbuiltins\ngetattr\n(ctorch\nTensor\nS'x'\ntR.", "found a value of builtins.getattr"},
		{"calls by protocol 4", "\x80\x04\x8c\x02os\x8c\x06system\x93" + call + ".", "found a value of os.system"},
		{"calls by INST", "(S'echo'\nios\nsystem\n.", "found a value of os.system"},
		{"calls by OBJ", "(cos\nsystem\nS'echo'\no.", "found a value of os.system"},
		{"calls by NEWOBJ", "\x80\x02cos\nsystem\n(S'echo'\nt\x81.", "found a value of os.system"},
		{"calls by NEWOBJ_EX", "\x80\x04cos\nsystem\n(S'echo'\nt}\x92.", "found a value of os.system"},
		{"calls in a tensor", "ctorch._tensor\n_rebuild_from_type_v2\n(cos\nsystem\nctorch\nTensor\n(S'echo'\nt}tR.", `tensor "tensor": is a tensor made by os.system, which cannot be read`},
		{"calls a constructor", "ccopy_reg\n_reconstructor\n(cos\nPathLike\nc__builtin__\nobject\nNtR.", "found a value of os.PathLike"},
		{"calls a default factory", "ccollections\ndefaultdict\n(cos\nsystem\ntR.", ""},
		{"sets the state of a class", "cos\nsystem\n(db.", "found os.system"},
		{"mentions", "(dS'x'\ncos\nsystem\ns.", ""},
		{"calls what may be mentioned", "ctorch\nTensor\n(tR.", "is a tensor made by torch.Tensor, which cannot be read"},
		{"calls a string", "S'x'\n(tR.", "expected a function to call, found a string"},
		{"objects of TorchScript", "c__torch__\nM\n)\x81.", "found a value of __torch__.M"},
		{"extension", "\x80\x02\x82\x01.", "unknown opcode 0x82"},
		{"buffer", "\x80\x05\x97.", "unknown opcode 0x97"},

		{"empty", "", "cut short"},
		{"no end", "(d", "cut short"},
		{"more after the end", "(d.(d.", "the pickle ends after 3 of its 6 bytes"},
		{"nothing left", ".", "takes more values from its stack"},
		{"no mark", "d.", "takes more values from its stack"},
		{"below the mark", "N(0a.", "takes more values from its stack"},
		{"value without key", "(S'x'\nd.", "has no value"},
		{"append to a tuple", ")Na.", "expected a list to append to"},
		{"append to a dictionary", "(dNa.", "expected a list to append to, found a dictionary"},
		{"items of a list", "]NNs.", "expected a dictionary to set items of"},
		{"no memo", "h\x00.", "memo entry 0 does not exist"},
		{"huge memo", "Nr\xff\xff\xff\xff.", "out of order"},
		{"protocol 6", "\x80\x06}.", "protocol 0 to 5, found 6"},
		{"huge string", "X\xff\xff\xff\x7f.", "string of 2147483647 bytes goes past the end"},
		{"huge string of 64 bits", "\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "goes past the end"},
		{"huge bytes", "\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", "goes past the end"},
		{"huge frame", "\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f}.", "cut short"},
		{"huge integer", "\x8b\xff\xff\xff\x7f.", "cut short"},
		{"negative integer", "\x8b\xff\xff\xff\xff.", "cut short"},
		{"many digits", "L" + strings.Repeat("9", 3_000_000) + "L\n.", "number of 3000001 digits is too long"},
		{"persistent text", "P0\n.", "line of text"},
		{"a number", "I1\n.", "expected a dictionary of tensors, found an integer"},
		{"keys of another kind", "(d(t" + pickled("FloatStorage", "0", 4, "0", "4", "1") + "s.", "expected strings or integers as keys"},
		{"name of bad text", "(dU\x01\xff" + pickled("FloatStorage", "0", 4, "0", "4", "1") + "s.", "not valid UTF-8"},

		{"deep lists", deep("]", "a", 1_000_000)[:1_999_999] + ".", "asks for more memory"},
		{"a tensor in deep lists", "(dS'x'\n" + strings.Repeat("]", 70) + pickled("FloatStorage", "0", 4, "0", "4", "1") + strings.Repeat("a", 70) + "sS'y'\n" + pickled("FloatStorage", "0", 4, "0", "4", "1") + "s.", "nested more than 64 deep"},
		{"deep lists of a large list", "(" + strings.Repeat("]", 30_000) + "lq\x010" + strings.Repeat("]", 66) + "(" + strings.Repeat("]h\x01a", 30_000) + "e" + strings.Repeat("a", 65) + ".", ""},
		{"deep lists, fewer", deep("]", "a", 10_000)[:19_999] + ".", ""},
		{"deep tuples", ")" + strings.Repeat("\x85", 1_000_000) + ".", "asks for more memory"},
		{"deep marks", strings.Repeat("(", 2_000_000) + ".", "takes more values from its stack"},
		{"deep dictionaries", strings.Repeat("}S'x'\n", 1000) + pickled("FloatStorage", "0", 4, "0", "4", "1") + strings.Repeat("s", 1000) + ".", "nested more than 64 deep"},
		{"many lists", strings.Repeat("]", 2_000_000) + ".", "asks for more memory"},
		{"many dictionaries", strings.Repeat("}", 2_000_000) + ".", "asks for more memory"},
		{"holds itself", "}q\x00S'model'\nh\x00sS'x'\n" + pickled("FloatStorage", "0", 4, "0", "4", "1") + "s.", "nested more than 64 deep"},
		{"holds itself, of no name", "}q\x00S'y'\nh\x00sS'x'\n" + pickled("FloatStorage", "0", 4, "0", "4", "1") + "s.", "nested more than 64 deep"},
		{"list that holds itself", "]q\x00h\x00a.", ""},
		{"two to the 60 paths", doubled(60, pickled("FloatStorage", "0", 4, "0", "4", "1")), "asks for more memory"},
		{"two to the 60 empty paths", doubled(60, "(d"), "asks for more memory"},
		{"two to the 60 tuples", ")" + strings.Repeat("2\x86", 60) + ".", ""},
		{"copies of a dictionary", "(" + strings.Repeat("NN", 20_000) + "dq\x000" + strings.Repeat("ccollections\nCounter\n(h\x00tR", 1000) + ".", "asks for more memory"},
		{"long names of many", longNames(1<<20, 2000), "asks for more memory"},
		{"long globals", "X\x00\x00\x10\x00" + strings.Repeat("os.system.", 1<<20/10+1)[:1<<20] + "q\x00" + strings.Repeat("h\x00h\x00\x930", 100_000) + ".", "found a string"},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := archive(c.pickle, four)
			quickly(t, len(data), func() {
				f, err := Parse("bad.pt", data, OpenOptions{})
				checkMalformed(t, err, c.want)
				if err == nil {
					use(f)
				}
			})
		})
	}
}

// doubled nests dictionaries, each holding the one before twice, around a value.
func doubled(n int, value string) string {
	b := "(dS'x'\n" + value + "s"
	for i := range n {
		at := fmt.Sprintf("r%c\x00\x00\x00", i)
		b += at + "0(dS'a'\nj" + at[1:] + "sS'b'\nj" + at[1:] + "s"
	}
	return b + "."
}

// longNames puts many tensors under a key of n bytes.
func longNames(n, many int) string {
	var b strings.Builder
	b.WriteString("}X" + string(binary.LittleEndian.AppendUint32(nil, uint32(n))) + strings.Repeat("n", n) + "}(")
	for i := range many {
		fmt.Fprintf(&b, "I%d\n", i)
		if i == 0 {
			b.WriteString(pickled("FloatStorage", "0", 4, "0", "4", "1") + "q\x00")
		} else {
			b.WriteString("h\x00")
		}
	}
	return b.String() + "us."
}

func TestBadZip(t *testing.T) {
	fine := state(pickled("FloatStorage", "0", 4, "0", "4", "1"))
	data := strings.Repeat("\x00\x00\x80?", 4)
	one := map[string]string{"0": data}
	pkl := [2]string{"a/data.pkl", fine}
	big := state(pickled("FloatStorage", "0", 4<<20, "0", "4194304", "1"))
	bomb := zipped(zip.Deflate, [][2]string{{"a/data.pkl", big}}, map[string]string{"0": strings.Repeat("\x00", 16<<20)})
	quine := zipped(zip.Deflate, [][2]string{{"a/data.pkl", strings.Repeat("]", 16<<20) + "."}}, nil)
	// patch changes bytes of the central directory's record of an entry, found by its name, at an offset from it.
	patch := func(data []byte, name string, at int, with ...byte) []byte {
		i := bytes.LastIndex(data, []byte(name))
		return append(append(append([]byte(nil), data[:i-46+at]...), with...), data[i-46+at+len(with):]...)
	}
	many := make([][2]string, 50_000)
	for i := range many {
		many[i][0] = fmt.Sprint(i)
	}
	plain := zipped(zip.Store, [][2]string{pkl}, one)
	deflated := zipped(zip.Deflate, [][2]string{pkl}, map[string]string{"0": data})
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"fine", plain, ""},
		{"fine, deflated", deflated, ""},
		{"no pickle", zipped(zip.Store, [][2]string{{"a/readme", "x"}}, one), "expected a folder with data.pkl among its 2 entries"},
		{"no folder", zipped(zip.Store, [][2]string{{"data.pkl", fine}}, one), "expected a folder with data.pkl"},
		{"two pickles", zipped(zip.Store, [][2]string{pkl, {"b/data.pkl", fine}}, one), "is a second data.pkl"},
		{"an entry twice", zipped(zip.Store, [][2]string{pkl, {"a/data/0", data}}, one), `entry "a/data/0" is given twice`},
		{"big-endian", zipped(zip.Store, [][2]string{pkl, {"a/byteorder", "big"}}, one), `expected byteorder little, found "big"`},
		{"more than declared", patch(deflated, "a/data.pkl", 24, 4, 0, 0, 0), `entry "a/data.pkl": zip: not a valid`},
		{"frozen", zipped(zip.Store, [][2]string{{"a/data.pkl", "}."}, {"a/constants.pkl", "}."}, {"a/constants/0", data}}, nil), "a frozen TorchScript program"},
		{"bomb", bomb, "inflates to 16777216 bytes: more than 16 times the file in all"},
		{"bomb of a pickle", quine, "more than 16 times the file in all"},
		{"impossible size", patch(deflated, "a/data/0", 24, 0, 0, 0, 0x40), "expected 16 bytes, found 1073741824"},
		{"impossible size of the pickle", patch(deflated, "a/data.pkl", 24, 0, 0, 0, 0x40), "inflates to 1073741824 bytes: more than the file's length allows"},
		{"wrong checksum", patch(deflated, "a/data/0", 16, 1, 2, 3, 4), "checksum"},
		{"overlap", patch(plain, "a/data/0", 42, 0, 0, 0, 0), "overlaps"},
		{"offset beyond", patch(plain, "a/data/0", 42, 0xff, 0xff, 0xff, 0x7f), `entry "a/data/0"`},
		{"goes past", patch(plain, "a/data/0", 20, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f), "goes past the end of the file"},
		{"stored and shrunk", patch(plain, "a/data/0", 20, 8), `is stored in 8 bytes and declares 16`},
		{"encrypted", patch(plain, "a/data.pkl", 8, 1), "is encrypted"},
		{"other compression", patch(plain, "a/data.pkl", 10, 12), "is compressed by method 12"},
		{"many entries", zipped(zip.Store, many, nil), "among its 50000 entries"},
		{"no directory", plain[:len(plain)-22], "zip archive"},
	} {
		t.Run(c.name, func(t *testing.T) {
			quickly(t, len(c.data), func() {
				_, err := Parse("bad.pt", c.data, OpenOptions{})
				checkMalformed(t, err, c.want)
			})
		})
	}
}

func TestBadLegacy(t *testing.T) {
	const (
		magic   = "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
		version = "\x80\x02M\xe9\x03."
		system  = "(dS'little_endian'\nI01\ns."
		keys    = "(lS'0'\na."
	)
	value := state(pickled("FloatStorage", "0", 2, "0", "2", "1"))
	data := "\x02\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x80?\x00\x00\x00@"
	for _, c := range []struct{ name, data, want string }{
		{"fine", magic + version + system + value + keys + data, ""},
		{"other magic", "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x18." + version + system + value + keys + data, "not a PyTorch file"},
		{"a plain pickle", "\x80\x02}.", "not a PyTorch file"},
		{"no version", magic + "(lI1\na." + system + value + keys + data, "expected version 1001, found a list or tuple"},
		{"a whole module", magic + version + system + "((S'module'\nc__main__\nNet\nS'net.py'\nS'class Net: pass'\ntQ)R." + keys + data, "found a value of __main__.Net, which only Python can make: save the state_dict()"},
		{"a name that moves the cursor", magic + version + system + "\x80\x04\x8c\x02os\x8c\x06\x1b[2J\n\r\x93." + keys + data, "found os.?[2J??"},
		{"other version", magic + "\x80\x02M\xe8\x03." + system + value + keys + data, "expected version 1001, found 1000"},
		{"big-endian", magic + version + "(dS'little_endian'\nI00\ns." + value + keys + data, "expected little-endian"},
		{"no system", magic + version + "N." + value + keys + data, "describes the system, found None"},
		{"calls", magic + version + system + "cos\nsystem\n(S'echo'\ntR." + keys + data, "found a value of os.system"},
		{"calls first", "\x80\x02cos\nsystem\n(S'echo'\ntR.", "found a value of os.system"},
		{"no keys", magic + version + system + value + "(l." + data, `tensor "x": its storage is not in the file`},
		{"other keys", magic + version + system + value + "(lS'1'\na." + data, `tensor "x": its storage is not in the file`},
		{"keys twice", magic + version + system + value + "(lS'0'\naS'0'\na." + data + data, "listed twice"},
		{"keys of another kind", magic + version + system + value + "(lI0\na." + data, "its storage is not in the file"},
		{"no list", magic + version + system + value + "(d." + data, "its storage is not in the file"},
		{"other count", magic + version + system + value + keys + "\x03" + data[1:], `tensor "x": expected 2 elements at offset`},
		{"huge count", magic + version + system + strings.ReplaceAll(value, "I2\n", "I1099511627776\n") + keys + "\x00\x00\x00\x00\x00\x01\x00\x00" + data[8:], "expected 4398046511104 bytes"},
		{"more after", magic + version + system + value + keys + data + "x", "1 bytes follow the last storage"},
		{"a view", magic + version + system + strings.Replace(value, "tQ", "(S'1'\nI0\nI2\nttQ", 1) + keys + data, "is a view of another"},
	} {
		t.Run(c.name, func(t *testing.T) {
			quickly(t, len(c.data), func() {
				f, err := Parse("bad.pt", []byte(c.data), OpenOptions{})
				checkMalformed(t, err, c.want)
				if err == nil {
					use(f)
				}
			})
		})
	}
	whole := magic + version + system + value + keys + data
	for n := 2; n < len(whole); n++ {
		_, err := Parse("bad.pt", []byte(whole[:n]), OpenOptions{})
		checkMalformed(t, err, "bad.pt")
		if n >= len(whole)-len(data) && !strings.Contains(err.Error(), `tensor "x"`) {
			t.Errorf("cut at %d: expected the tensor's name in %v", n, err)
		}
	}
}

// TestCutTorch cuts each kind of file at every sixteenth of its length, near its start and before its end.
func TestCutTorch(t *testing.T) {
	for _, name := range []string{"zip.pt", "legacy.pt", "script.pt", "deflated.pt", "training.pt", "training_legacy.pt"} {
		data, err := os.ReadFile(torchData + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var cuts []int
		for i := range 16 {
			cuts = append(cuts, i*len(data)/16)
		}
		for i := range 300 {
			cuts = append(cuts, i, len(data)-1-i)
		}
		for _, n := range cuts {
			_, err := Parse(name, data[:n], OpenOptions{})
			checkMalformed(t, err, name)
		}
	}
}

// TestFlippedTorch flips bits of each kind of file: a flip gives an error or a readable file.
func TestFlippedTorch(t *testing.T) {
	step := 3
	if testing.Short() {
		step = 37
	}
	for _, name := range []string{"nested.pt", "legacy4.pt", "script.pt", "deflated.pt"} {
		data, err := os.ReadFile(torchData + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		refused, tried := 0, 0
		slowest := time.Duration(0)
		began := time.Now()
		for i := 0; i < len(data)*8; i += step * (1 + len(data)/1024) {
			data[i/8] ^= 1 << (i % 8)
			start := time.Now()
			if f, err := Parse(name, data, OpenOptions{}); err == nil {
				use(f)
			} else {
				refused++
				checkMalformed(t, err, name)
			}
			slowest = max(slowest, time.Since(start))
			tried++
			data[i/8] ^= 1 << (i % 8)
		}
		t.Logf("%s: %d of %d flips refused in %v, the slowest in %v", name, refused, tried, time.Since(began), slowest)
		if refused < tried/8 || slowest > tooLong { // the rest falls into numbers, names, padding and code
			t.Errorf("%s: %d of %d flips refused, the slowest in %v", name, refused, tried, slowest)
		}
	}
}

// TestOtherFormats expects an error that names the format of the file.
func TestOtherFormats(t *testing.T) {
	for _, c := range []struct{ data, want string }{
		{"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Git LFS pointer"},
		{"<!DOCTYPE html><html>Sign in</html>", "it does not start like a PyTorch file either"},
		{"", "it does not start like a PyTorch file either"},
	} {
		_, err := Parse("pytorch_model.bin", []byte(c.data), OpenOptions{})
		checkMalformed(t, err, c.want)
	}
}

// BenchmarkPickle reads the description of 2000 tensors.
func BenchmarkPickle(b *testing.B) {
	var s strings.Builder
	s.WriteString("(d")
	for i := range 2000 {
		fmt.Fprintf(&s, "S'encoder.layer.%d.weight'\n%ss", i, pickled("FloatStorage", "0", 4, "0", "2 2", "2 1"))
	}
	data := archive(s.String()+".", map[string]string{"0": strings.Repeat("\x00\x00\x80?", 4)})
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if f, err := Parse("x", data, OpenOptions{}); err != nil || f.Len() != 2000 {
			b.Fatal(err)
		}
	}
}

// BenchmarkGather reads a transposed matrix of 4 MB.
func BenchmarkGather(b *testing.B) {
	data := archive(state(pickled("FloatStorage", "0", 1<<20, "0", "1024 1024", "1 1024")), map[string]string{"0": strings.Repeat("\x00\x00\x80?", 1<<20)})
	f, err := Parse("x", data, OpenOptions{})
	if err != nil {
		b.Fatal(err)
	}
	x, _ := f.Tensor("x")
	dst := make([]float32, x.Len())
	b.SetBytes(4 << 20)
	for b.Loop() {
		if err := x.Floats(dst); err != nil {
			b.Fatal(err)
		}
	}
}
