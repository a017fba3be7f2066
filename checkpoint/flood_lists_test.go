package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// listFloods are files of about n bytes whose headers, indexes and directories list much.
var listFloods = map[string]struct {
	file string
	make func(n int) []byte
}{
	"empty tensors": {"x.safetensors", func(n int) []byte {
		return headerOf(n, func(i int) string { return fmt.Sprintf(`"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},`, i) })
	}},
	"ranks": {"x.safetensors", func(n int) []byte {
		return headerOf(n, func(i int) string {
			return fmt.Sprintf(`"%d":{"dtype":"U8","shape":[%s0],"data_offsets":[0,0]},`, i, strings.Repeat("0,", 63))
		})
	}},
	"metadata": {"x.safetensors", func(n int) []byte {
		s := `{"__metadata__":{` + strings.TrimSuffix(manyPieces(n, func(i int) string { return fmt.Sprintf(`"%d":"",`, i) }), ",") + "}}"
		return append(binary.LittleEndian.AppendUint64(nil, uint64(len(s))), s...)
	}},
	"index": {"x.index.json", func(n int) []byte {
		return []byte(`{"weight_map":{` + strings.TrimSuffix(manyPieces(n, func(i int) string { return fmt.Sprintf(`"%d":"a",`, i) }), ",") + "}}")
	}},
	"index empty": {"x.index.json", func(n int) []byte {
		return []byte(`{"weight_map":{` + strings.TrimSuffix(strings.Repeat(`"":"",`, n/6), ",") + "}}")
	}},
	"zip entries": {"x.pt", func(n int) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, _ := z.CreateRaw(&zip.FileHeader{Name: "a/data.pkl"})
		w.Write([]byte("}."))
		for i := range n / 90 {
			z.CreateRaw(&zip.FileHeader{Name: fmt.Sprint(i)})
		}
		z.Close()
		return b.Bytes()
	}},
	"zip directory": {"x.pt", func(n int) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, _ := z.CreateRaw(&zip.FileHeader{Name: "a/data.pkl", CompressedSize64: 2, UncompressedSize64: 2})
		w.Write([]byte("}."))
		z.Close()
		// the same record often
		d := b.Bytes()
		at := bytes.Index(d, []byte("PK\x01\x02"))
		end := bytes.Index(d, []byte("PK\x05\x06"))
		rec := append([]byte(nil), d[at:end]...)
		out := append([]byte(nil), d[:at]...)
		k := n / (len(rec) - 9)
		small := append(append([]byte(nil), rec[:46]...), 'x')
		binary.LittleEndian.PutUint16(small[28:], 1)
		for range k {
			out = append(out, small...)
		}
		size := len(out) - at
		// zip64 end
		z64 := len(out)
		e := make([]byte, 56)
		copy(e, "PK\x06\x06")
		binary.LittleEndian.PutUint64(e[4:], 44)
		binary.LittleEndian.PutUint64(e[24:], uint64(k))
		binary.LittleEndian.PutUint64(e[32:], uint64(k))
		binary.LittleEndian.PutUint64(e[40:], uint64(size))
		binary.LittleEndian.PutUint64(e[48:], uint64(at))
		out = append(out, e...)
		l := make([]byte, 20)
		copy(l, "PK\x06\x07")
		binary.LittleEndian.PutUint64(l[8:], uint64(z64))
		binary.LittleEndian.PutUint32(l[16:], 1)
		out = append(out, l...)
		f := append([]byte(nil), d[end:]...)
		binary.LittleEndian.PutUint16(f[8:], 0xffff)
		binary.LittleEndian.PutUint16(f[10:], 0xffff)
		binary.LittleEndian.PutUint32(f[12:], 0xffffffff)
		binary.LittleEndian.PutUint32(f[16:], 0xffffffff)
		return append(out, f...)
	}},
}

// headerOf is a safetensors file of a header alone, made of pieces with a comma at their ends.
func headerOf(n int, piece func(i int) string) []byte {
	s := "{" + strings.TrimSuffix(manyPieces(n, piece), ",") + "}"
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(s))), s...)
}
