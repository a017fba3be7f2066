package jpeg

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

var cases = flag.Int("cases", 200, "random files, and as many photographs, to compare with Pillow where FOVEA_PYTHON is set")

// decode reads the header and decodes.
func decode(data []byte) (h Header, pix []uint8, err error) {
	h, err = ReadHeader(data)
	if err != nil {
		return h, nil, err
	}
	pix = make([]uint8, 3*h.Width*h.Height)
	return h, pix, Decode(pix, data)
}

// Files of all kinds have the pixels that Pillow gave them; see testdata/gen/vision_jpeg.py.
func TestFiles(t *testing.T) {
	text, err := os.ReadFile("testdata/want.json")
	if err != nil {
		t.Fatal(err)
	}
	var files map[string]struct {
		Width, Height int
		SHA256        string
	}
	if err := json.Unmarshal(text, &files); err != nil {
		t.Fatal(err)
	}
	if len(files) < 40 {
		t.Fatalf("%d files in want.json", len(files))
	}
	for name, want := range files {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		h, pix, err := decode(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sum := sha256.Sum256(pix)
		if h.Width != want.Width || h.Height != want.Height || hex.EncodeToString(sum[:]) != want.SHA256 {
			t.Errorf("%s: %d×%d pixels differ from Pillow's %d×%d", name, h.Width, h.Height, want.Width, want.Height)
		}
	}
}

func TestRandomFilesEqualPillow(t *testing.T) {
	comparePillow(t, "random", strconv.Itoa(*cases), "3")
}

func TestPhotographsEqualPillow(t *testing.T) {
	const dir = "../../../../shared/data"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("../shared/data is not here")
	}
	comparePillow(t, "photographs", dir, strconv.Itoa(*cases), "3")
}

// comparePillow lets the script make files and decode them, and decodes them too.
func comparePillow(t *testing.T, args ...string) {
	python := os.Getenv("FOVEA_PYTHON")
	if python == "" {
		t.Skip("needs FOVEA_PYTHON, a Python with Pillow")
	}
	cmd := exec.Command(python, append([]string{"../../../testdata/gen/vision_jpeg.py"}, args...)...)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReaderSize(pipe, 1<<20)
	number := func() (n uint32) {
		if err := binary.Read(r, binary.BigEndian, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	part := func() []byte {
		b := make([]byte, number())
		if _, err := io.ReadFull(r, b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	n, wrong := 0, 0
	for ; ; n++ {
		if _, err := r.Peek(1); err == io.EOF {
			break
		}
		name, data := string(part()), part()
		w, h, want := int(number()), int(number()), part()
		got, pix, err := decode(data)
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case got.Width != w || got.Height != h:
			t.Errorf("%s: %d×%d pixels, want %d×%d", name, got.Width, got.Height, w, h)
		default:
			most, count, first := 0, 0, 0
			for i, v := range pix {
				if d := int(v) - int(want[i]); d != 0 {
					if count == 0 {
						first = i / 3
					}
					most = max(most, d, -d)
					count++
				}
			}
			if count > 0 {
				t.Errorf("%s: %d of %d samples differ, by up to %d levels, first at (%d, %d)", name, count, len(pix), most, first%w, first/w)
			} else {
				continue
			}
		}
		if wrong++; wrong > 20 {
			t.Fatal("and perhaps more")
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Fatal("the script made no cases")
	}
	t.Logf("%d files, all equal", n-wrong)
}
