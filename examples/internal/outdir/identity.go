package outdir

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"

	"github.com/fovea-ml/fovea/nn"
)

// Weights identifies the weights of a model, so that a resumed run begins with the same.
func Weights(model any) string {
	h := crc32.NewIEEE()
	var b []byte
	for _, p := range nn.Parameters(model) {
		b = b[:0]
		for _, v := range p.Values() {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		h.Write(b)
	}
	return fmt.Sprintf("%d values, %08x", nn.Count(model), h.Sum32())
}

// Located makes the folder of a model absolute, so that a resumed run finds it from elsewhere. The name of a model on the hub stays.
func Located(model string) string {
	if _, err := os.Stat(model); err != nil {
		return model
	}
	return Absolute(model)
}

// Absolute makes a path absolute; "" stays "".
func Absolute(path string) string {
	if path == "" {
		return ""
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
