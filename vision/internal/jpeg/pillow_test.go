package jpeg

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/oracle"
)

var cases = flag.Int("cases", 200, "random files, and as many photographs, to compare with Pillow where FOVEA_PYTHON is set")

// decode reads the header and decodes.
func decode(data []byte, eighths int) (w, h int, pix []uint8, err error) {
	header, err := ReadHeader(data)
	if err != nil {
		return 0, 0, nil, err
	}
	w, h = header.Reduced(eighths)
	pix = make([]uint8, 3*w*h)
	return w, h, pix, Decode(pix, data, eighths)
}

// Files of all kinds have the pixels that Pillow gave them; see testdata/gen/vision_jpeg.py.
func TestFiles(t *testing.T) {
	text, err := os.ReadFile("testdata/want.json")
	if err != nil {
		t.Fatal(err)
	}
	var files map[string]map[int]struct { // by eighths
		Width, Height int
		SHA256        string
	}
	if err := json.Unmarshal(text, &files); err != nil {
		t.Fatal(err)
	}
	if len(files) < 80 {
		t.Fatalf("%d files in want.json", len(files))
	}
	for name, sizes := range files {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := sizes[8]; !ok {
			t.Fatalf("%s: no pixels in want.json", name)
		}
		for eighths, want := range sizes {
			w, h, pix, err := decode(data, eighths)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			sum := sha256.Sum256(pix)
			if w != want.Width || h != want.Height || hex.EncodeToString(sum[:]) != want.SHA256 {
				t.Errorf("%s at %d/8: %d×%d pixels differ from Pillow's %d×%d", name, eighths, w, h, want.Width, want.Height)
			}
		}
	}
}

func TestRandomFilesEqualPillow(t *testing.T) {
	comparePillow(t, "random", strconv.Itoa(*cases), "3")
}

func TestCutFilesEqualPillow(t *testing.T) {
	comparePillow(t, "cut", strconv.Itoa(*cases), "3")
}

// jpegtran makes these files.
func TestArithmeticFilesEqualPillow(t *testing.T) {
	if _, err := exec.LookPath("jpegtran"); err != nil {
		t.Skip("jpegtran is not here")
	}
	comparePillow(t, "arithmetic", strconv.Itoa(*cases), "3")
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
	t.Helper()
	cmd := oracle.Command(t, "Pillow", "vision_jpeg.py", args...)
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
		eighths, w, h, want := int(number()), int(number()), int(number()), part()
		name = fmt.Sprintf("%s at %d/8", name, eighths)
		width, height, pix, err := decode(data, eighths)
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case width != w || height != h:
			t.Errorf("%s: %d×%d pixels, want %d×%d", name, width, height, w, h)
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
