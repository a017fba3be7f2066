package text

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

// pieceModel is a SentencePiece model: the fields of sentencepiece_model.proto that choose ids.
type pieceModel struct {
	pieces      []piece
	kind        int // 1 is Unigram, 2 BPE
	unknown     int
	bos, eos    int
	unknownName string
	bosName     string
	eosName     string
	fallback    bool
	surface     string // of the unknown piece in decoded text
	charsmap    []byte
	changes     bool // decoded text is changed
	dummy       bool // a space is put before the text
	squeeze     bool // repeated white space is one space
	escape      bool // spaces become ▁
	suffix      bool // ▁ ends a word
}

// piece is a piece of a SentencePiece model.
type piece struct {
	text  string
	score float32
	kind  int
}

// Kinds of pieces.
const (
	controlPiece = 3
	userPiece    = 4
)

// parsePieces reads the protobuf of a SentencePiece model. Fields that do not choose ids are skipped.
func parsePieces(data []byte) (*pieceModel, error) {
	m := &pieceModel{kind: 1, bos: 1, eos: 2, surface: " ⁇ ", unknownName: "<unk>", bosName: "<s>", eosName: "</s>", dummy: true, squeeze: true, escape: true}
	err := eachField(data, func(n int, v protoValue) error {
		switch n {
		case 1:
			p := piece{kind: 1}
			if err := v.message(func(n int, v protoValue) (err error) {
				switch n {
				case 1:
					p.text, err = v.text()
				case 2:
					p.score, err = v.float()
				case 3:
					p.kind, err = v.number()
				}
				return err
			}); err != nil {
				return fmt.Errorf("piece %d: %w", len(m.pieces), err)
			}
			m.pieces = append(m.pieces, p)
		case 2:
			if err := v.message(m.trainer); err != nil {
				return fmt.Errorf("trainer_spec: %w", err)
			}
		case 3:
			if err := v.message(m.normalizer); err != nil {
				return fmt.Errorf("normalizer_spec: %w", err)
			}
		case 5:
			if err := v.message(func(n int, v protoValue) error {
				m.changes = m.changes || n == 2 && len(v.bytes) > 0
				return nil
			}); err != nil {
				return fmt.Errorf("denormalizer_spec: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(m.pieces) == 0 {
		return nil, fmt.Errorf("expected a SentencePiece model, found no pieces")
	}
	return m, nil
}

func (m *pieceModel) trainer(n int, v protoValue) (err error) {
	switch n {
	case 3:
		m.kind, err = v.number()
	case 24:
		m.suffix, err = v.flag()
	case 35:
		m.fallback, err = v.flag()
	case 40:
		m.unknown, err = v.number()
	case 41:
		m.bos, err = v.number()
	case 42:
		m.eos, err = v.number()
	case 44:
		m.surface, err = v.text()
	case 45:
		m.unknownName, err = v.text()
	case 46:
		m.bosName, err = v.text()
	case 47:
		m.eosName, err = v.text()
	}
	return err
}

func (m *pieceModel) normalizer(n int, v protoValue) (err error) {
	switch n {
	case 2:
		m.charsmap, err = v.data()
	case 3:
		m.dummy, err = v.flag()
	case 4:
		m.squeeze, err = v.flag()
	case 5:
		m.escape, err = v.flag()
	}
	return err
}

// protoValue is the value of a field of a protobuf.
type protoValue struct {
	wire  uint64 // 0 varint, 1 64 bits, 2 bytes, 5 32 bits
	bits  uint64
	bytes []byte
}

// eachField calls f for every field of a message, in order.
func eachField(data []byte, f func(n int, v protoValue) error) error {
	for at := 0; at < len(data); {
		start := at
		cut := func() error {
			return fmt.Errorf("protobuf: expected a whole field at byte %d of %d, found the end", start, len(data))
		}
		key, n := binary.Uvarint(data[at:])
		if n <= 0 {
			return cut()
		}
		at += n
		v := protoValue{wire: key & 7}
		size := 0
		switch v.wire {
		case 0:
			if v.bits, n = binary.Uvarint(data[at:]); n <= 0 {
				return cut()
			}
			at += n
		case 1:
			size = 8
		case 5:
			size = 4
		case 2:
			length, n := binary.Uvarint(data[at:])
			if n <= 0 || length > uint64(len(data)-at-n) {
				return cut()
			}
			at += n
			size = int(length)
		default:
			return fmt.Errorf("protobuf: expected a field at byte %d, found wire type %d", start, v.wire)
		}
		if size > len(data)-at {
			return cut()
		}
		v.bytes = data[at : at+size]
		at += size
		if key>>3 == 0 || key>>3 > math.MaxInt32 {
			return fmt.Errorf("protobuf: expected a field at byte %d, found number %d", start, key>>3)
		}
		if err := f(int(key>>3), v); err != nil {
			return err
		}
	}
	return nil
}

func (v protoValue) is(wire uint64, want string) error {
	if v.wire != wire {
		return fmt.Errorf("protobuf: expected %s, found wire type %d", want, v.wire)
	}
	return nil
}

func (v protoValue) message(f func(n int, v protoValue) error) error {
	if err := v.is(2, "a message"); err != nil {
		return err
	}
	return eachField(v.bytes, f)
}

func (v protoValue) data() ([]byte, error) { return v.bytes, v.is(2, "bytes") }

func (v protoValue) text() (string, error) {
	if err := v.is(2, "text"); err != nil {
		return "", err
	}
	if !utf8.Valid(v.bytes) {
		return "", fmt.Errorf("protobuf: expected UTF-8, found %q", v.bytes)
	}
	return string(v.bytes), nil
}

func (v protoValue) number() (int, error) { return int(int32(v.bits)), v.is(0, "a number") }

func (v protoValue) flag() (bool, error) { return v.bits != 0, v.is(0, "true or false") }

func (v protoValue) float() (float32, error) {
	if err := v.is(5, "a number of 32 bits"); err != nil {
		return 0, err
	}
	f := math.Float32frombits(binary.LittleEndian.Uint32(v.bytes))
	if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
		return 0, fmt.Errorf("protobuf: expected a finite number, found %v", f)
	}
	return f, nil
}
