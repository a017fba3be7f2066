package autograd

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// The digest of every case's results and gradients is pinned in testdata/bits.json. So all machines that
// run the tests are compared with each other to the bit, whatever their instruction sets. After an
// intended change of the arithmetic, FOVEA_UPDATE=1 go test ./autograd writes them anew.
var pinned struct {
	sync.Mutex
	want map[string]string
	got  map[string]string
}

var pinnedFile = filepath.Join("testdata", "bits.json")

func TestMain(m *testing.M) {
	if data, err := os.ReadFile(pinnedFile); err == nil {
		if err := json.Unmarshal(data, &pinned.want); err != nil {
			panic(err)
		}
	}
	pinned.got = map[string]string{}
	code := m.Run()
	if os.Getenv("FOVEA_UPDATE") != "" && code == 0 {
		data, err := json.MarshalIndent(pinned.got, "", " ")
		if err == nil {
			err = os.WriteFile(pinnedFile, append(data, '\n'), 0o666)
		}
		if err != nil {
			panic(err)
		}
	}
	os.Exit(code)
}

// checkPinned compares a run with the digest pinned for its case. The portable kernels are exempt: they
// agree within tolerance only.
func checkPinned(t *testing.T, key string, r *opRun) {
	t.Helper()
	if simd.Current() == simd.Generic {
		return
	}
	h := sha256.New()
	var b [4]byte
	put := func(values []float32) {
		for _, v := range values {
			if v != v {
				v = float32(math.NaN()) // one NaN for all
			}
			binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
			h.Write(b[:])
		}
	}
	for _, y := range r.outs {
		put(y)
	}
	for _, n := range slices.Sorted(maps.Keys(r.grads)) {
		put(r.grads[n])
	}
	digest := hex.EncodeToString(h.Sum(nil)[:8])
	pinned.Lock()
	defer pinned.Unlock()
	pinned.got[key] = digest
	if os.Getenv("FOVEA_UPDATE") == "" && pinned.want[key] != digest {
		t.Errorf("%s: the bits are %s on %s, pinned are %s", key, digest, simd.Info(), pinned.want[key])
	}
}
