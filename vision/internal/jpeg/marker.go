package jpeg

// The second bytes of the markers that this package knows (T.81, table B.1).
const (
	markSOF0  = 0xc0 // baseline
	markSOF1  = 0xc1 // extended sequential
	markSOF2  = 0xc2 // progressive
	markDHT   = 0xc4
	markJPG   = 0xc8
	markDAC   = 0xcc
	markSOF9  = 0xc9 // extended sequential, arithmetic coding
	markSOF10 = 0xca // progressive, arithmetic coding
	markSOF15 = 0xcf
	markRST0  = 0xd0
	markRST7  = 0xd7
	markSOI   = 0xd8
	markEOI   = 0xd9
	markSOS   = 0xda
	markDQT   = 0xdb
	markDNL   = 0xdc
	markDRI   = 0xdd
	markAPP0  = 0xe0
	markAPP14 = 0xee
	markTEM   = 0x01
)

// A reader walks over the segments of a file.
type reader struct {
	data []byte
	at   int
}

// next returns the next marker and moves behind it. It skips bytes that belong to no segment, as libjpeg does.
func (r *reader) next() (byte, error) {
	for ; r.at+1 < len(r.data); r.at++ {
		if m := r.data[r.at+1]; r.data[r.at] == 0xff && m != 0 && m != 0xff {
			r.at += 2
			return m, nil
		}
	}
	r.at = len(r.data)
	return 0, corrupt("the file ends before its end marker")
}

// payload returns the content of a segment after its length, and moves behind the segment.
func (r *reader) payload(m byte) ([]byte, error) {
	if r.at+2 > len(r.data) {
		return nil, corrupt("the file ends at marker %#x", m)
	}
	n := int(r.data[r.at])<<8 | int(r.data[r.at+1])
	if n < 2 || n > len(r.data)-r.at {
		return nil, corrupt("segment %#x of %d bytes where the file has %d", m, n, len(r.data)-r.at)
	}
	p := r.data[r.at+2 : r.at+n]
	r.at += n
	return p, nil
}

// bare reports whether a marker stands alone, without a length.
func bare(m byte) bool { return m == markTEM || m >= markRST0 && m <= markSOI }

// isFrame reports whether a marker begins a frame header of any kind.
func isFrame(m byte) bool {
	return m >= markSOF0 && m <= markSOF15 && m != markDHT && m != markJPG && m != markDAC
}

var frameKinds = map[byte]string{
	0xc3: "lossless coding", 0xc5: "hierarchical coding", 0xc6: "hierarchical coding", 0xc7: "lossless coding",
	0xcb: "lossless coding", 0xcd: "hierarchical coding", 0xce: "hierarchical coding", 0xcf: "lossless coding",
}
