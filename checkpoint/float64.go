package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
)

// Float64sAt is [Tensor.FloatsAt] in float64: the elements of an F64 tensor as they are stored, and those of F32, F16 and
// BF16 tensors widened.
func (t Tensor) Float64sAt(dst []float64, first int) error {
	if !t.DType.IsFloat() {
		return fmt.Errorf("checkpoint: tensor %q: expected F64, F32, F16 or BF16, found %s", t.Name, t.DType)
	}
	if err := t.checkRange(len(dst), first); err != nil {
		return err
	}
	if t.DType == F64 {
		b := t.bytesAt(first, len(dst))
		for i := range dst {
			dst[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		}
		runtime.KeepAlive(t.src) // or the mapping could end while its bytes are copied
	} else {
		var part [1024]float32
		for at := 0; at < len(dst); at += len(part) {
			n := min(len(part), len(dst)-at)
			t.floatsAt(part[:n], first+at)
			for i, v := range part[:n] {
				dst[at+i] = float64(v)
			}
		}
	}
	t.leave(len(dst), first)
	return nil
}
