package simd

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// Few machines have AMX or AVX-VNNI. A small interpreter runs the assembly of their kernels, so that they are tested
// everywhere: loops, addresses, edges and the arithmetic. What it knows of their instructions is from Intel's manual,
// volume 2. Encodings are compared in internal/gemmgen.

// A machine is what the kernels use of a processor.
type machine struct {
	reg   map[string]uint64
	mask  map[string]uint16
	zmm   map[string][16]uint32 // by number; a ymm is the lower half
	order int                   // the sign of the last result, or of the difference of what was compared
	stack [64]byte
	tiles [8]struct {
		rows, bytes int
		data        [16][64]byte
	}
	ready bool // between ldtilecfg and tilerelease
}

// An instruction is a line of assembly: its name and operands, in Go's order, or in Intel's if it is written as bytes.
type instruction struct {
	name string
	args []string
	text string
}

// A listing is a function of an assembly file.
type listing struct {
	code   []instruction
	labels map[string]int
}

// readAssembly returns the functions of a file.
func readAssembly(t testing.TB, file string) map[string]*listing {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*listing{}
	var f *listing
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch raw, notation, isRaw := strings.Cut(line, "// "); {
		case strings.HasPrefix(line, "TEXT ·"):
			name, _, _ := strings.Cut(strings.TrimPrefix(line, "TEXT ·"), "(")
			f = &listing{labels: map[string]int{}}
			all[name] = f
		case line == "" || strings.HasPrefix(line, "//") || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "PCALIGN"), strings.HasPrefix(line, "PREFETCH"),
			strings.HasPrefix(line, "DATA"), strings.HasPrefix(line, "GLOBL"):
		case strings.HasSuffix(line, ":"):
			f.labels[strings.TrimSuffix(line, ":")] = len(f.code)
		default:
			if isRaw && strings.HasPrefix(raw, "BYTE") {
				line = strings.TrimPrefix(notation, "{vex} ")
			}
			name, rest, _ := strings.Cut(line, " ")
			i := instruction{name: name, text: line}
			if rest != "" {
				i.args = strings.Split(rest, ", ")
			}
			f.code = append(f.code, i)
		}
	}
	return all
}

// run runs a function on t.
func (m *machine) run(f *listing, t *gemmTile) {
	*m = machine{reg: map[string]uint64{}, mask: map[string]uint16{}, zmm: map[string][16]uint32{}}
	m.reg["SP"] = uint64(uintptr(unsafe.Pointer(&m.stack)))
	m.reg["t+0(FP)"] = uint64(uintptr(unsafe.Pointer(t)))
	for at := 0; f.code[at].name != "RET"; {
		i := &f.code[at]
		at++
		jump := false
		switch i.name {
		case "JEQ":
			jump = m.order == 0
		case "JNE":
			jump = m.order != 0
		case "JLT":
			jump = m.order < 0
		case "JLE":
			jump = m.order <= 0
		case "JGE":
			jump = m.order >= 0
		case "JMP":
			jump = true
		default:
			m.step(i)
		}
		if jump {
			to, ok := f.labels[i.args[0]]
			if !ok {
				panic("no label " + i.args[0])
			}
			at = to
		}
	}
	if m.ready {
		panic("the function returned without tilerelease")
	}
}

// edges are the lane masks of the AVX2 kernels: ones, then zeros.
var edges = func() (e [32]int32) {
	for i := range 16 {
		e[i] = -1
	}
	return e
}()

// address returns where an operand in memory is: disp(base) or disp(base)(index*scale), in Go's notation.
func (m *machine) address(arg string) (unsafe.Pointer, bool) {
	if arg == "edge256<>(SB)" {
		return unsafe.Pointer(&edges), true
	}
	disp, rest, ok := strings.Cut(arg, "(")
	if !ok || strings.HasSuffix(arg, "(FP)") {
		return nil, false
	}
	at := uint64(0)
	if disp != "" {
		n, err := strconv.Atoi(disp)
		if err != nil {
			panic(arg)
		}
		at = uint64(n)
	}
	base, index, _ := strings.Cut(strings.TrimSuffix(rest, ")"), ")(")
	at += m.value(base)
	if index != "" {
		name, scale, _ := strings.Cut(index, "*")
		at += m.value(name) * m.value("$"+scale)
	}
	return pointer(at), true
}

func pointer(a uint64) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&a)) }

func (m *machine) value(arg string) uint64 {
	if n, ok := strings.CutPrefix(arg, "$"); ok {
		v, err := strconv.ParseUint(n, 0, 64)
		if err != nil {
			panic(err)
		}
		return v
	}
	if p, ok := m.address(arg); ok {
		return *(*uint64)(p)
	}
	v, ok := m.reg[arg]
	if !ok {
		panic("no value in " + arg)
	}
	return v
}

func (m *machine) set(arg string, v uint64) {
	if p, ok := m.address(arg); ok {
		*(*uint64)(p) = v
	} else {
		m.reg[arg] = v
	}
}

// lanesOf returns the number of a vector register and how many lanes it has; 0 stands for another operand.
func lanesOf(arg string) (number string, lanes int) {
	switch arg[0] {
	case 'Z':
		return arg[1:], 16
	case 'Y':
		return arg[1:], 8
	}
	return "", 0
}

// vector returns a register, or the lanes of memory that a mask chooses.
func (m *machine) vector(arg string, mask uint16) (v [16]uint32) {
	p, ok := m.address(arg)
	if !ok {
		number, _ := lanesOf(arg)
		return m.zmm[number]
	}
	for i := range v {
		if mask>>i&1 != 0 {
			v[i] = *(*uint32)(unsafe.Add(p, 4*i))
		}
	}
	return v
}

// put sets the lanes of a register or of memory that a mask chooses.
func (m *machine) put(arg string, v [16]uint32, mask uint16) {
	p, ok := m.address(arg)
	number, _ := lanesOf(arg)
	old := m.zmm[number]
	for i := range v {
		switch {
		case mask>>i&1 == 0:
		case ok:
			*(*uint32)(unsafe.Add(p, 4*i)) = v[i]
		default:
			old[i] = v[i]
		}
	}
	if !ok {
		m.zmm[number] = old
	}
}

// maskOf returns the lanes that an instruction uses: those of its registers, or of the mask among its operands.
func (m *machine) maskOf(args []string) uint16 {
	all := 0
	for _, arg := range args {
		if arg[0] == 'K' {
			return m.mask[arg]
		}
		_, n := lanesOf(arg)
		all = max(all, n)
	}
	return uint16(1<<all - 1)
}

func (m *machine) step(i *instruction) {
	a := i.args
	last := len(a) - 1
	arithmetic := func(f func(x, y uint64) uint64) {
		v := f(m.value(a[last]), m.value(a[0]))
		m.set(a[last], v)
		m.order = cmp.Compare(int64(v), 0)
	}
	switch i.name {
	case "MOVQ":
		m.set(a[1], m.value(a[0]))
	case "MOVB":
		p, _ := m.address(a[1])
		*(*uint8)(p) = uint8(m.value(a[0]))
	case "LEAQ":
		p, _ := m.address(a[0])
		m.set(a[1], uint64(uintptr(p)))
	case "ADDQ":
		arithmetic(func(x, y uint64) uint64 { return x + y })
	case "SUBQ":
		arithmetic(func(x, y uint64) uint64 { return x - y })
	case "SHLQ":
		arithmetic(func(x, y uint64) uint64 { return x << y })
	case "SHRQ":
		arithmetic(func(x, y uint64) uint64 { return x >> y })
	case "DECQ":
		arithmetic(func(x, _ uint64) uint64 { return x - 1 })
	case "CMPQ":
		m.order = cmp.Compare(int64(m.value(a[0])), int64(m.value(a[1])))
	case "CMOVQGT":
		if m.order > 0 {
			m.set(a[1], m.value(a[0]))
		}
	case "KMOVW":
		m.mask[a[1]] = uint16(m.value(a[0]))
	case "VMOVUPS":
		mask := m.maskOf(a)
		m.put(a[last], m.vector(a[0], mask), mask)
	case "VMASKMOVPS":
		mask := uint16(0)
		for j, v := range m.vector(a[1], 0) {
			mask |= uint16(v>>31) << j
		}
		if _, n := lanesOf(a[last]); n > 0 {
			m.put(a[last], m.vector(a[0], mask), m.maskOf(a)) // the other lanes become zero
		} else {
			m.put(a[last], m.vector(a[0], 0), mask&m.maskOf(a))
		}
	case "VBROADCASTSS":
		v := m.vector(a[0], 1)
		for j := range v {
			v[j] = v[0]
		}
		m.put(a[1], v, m.maskOf(a))
	case "VXORPS":
		m.put(a[2], [16]uint32{}, m.maskOf(a))
	case "VADDPS", "VPADDD":
		mask := m.maskOf(a)
		x, y := m.vector(a[0], mask), m.vector(a[1], mask)
		for j := range x {
			if i.name == "VPADDD" {
				x[j] += y[j]
			} else {
				x[j] = math.Float32bits(math.Float32frombits(x[j]) + math.Float32frombits(y[j]))
			}
		}
		m.put(a[last], x, mask)
	case "vpdpbusd":
		number := func(arg string) string { return strings.TrimPrefix(arg, "ymm") }
		sums, x, y := m.zmm[number(a[0])], m.zmm[number(a[1])], m.zmm[number(a[2])]
		for j := range sums {
			for q := 0; q < 32; q += 8 {
				sums[j] += uint32(int32(uint8(x[j]>>q)) * int32(int8(y[j]>>q)))
			}
		}
		m.zmm[number(a[0])] = sums
	case "VZEROUPPER":
	default:
		m.tile(i)
	}
}

// tile runs an instruction in Intel's notation.
func (m *machine) tile(i *instruction) {
	number := func(arg string) int {
		n, err := strconv.Atoi(strings.TrimPrefix(arg, "tmm"))
		if err != nil {
			panic(i.text)
		}
		if !m.ready || m.tiles[n].rows == 0 {
			panic("unused tile register: " + i.text)
		}
		return n
	}
	lines := func(arg string) (at unsafe.Pointer, stride int) {
		parts := strings.Split(strings.Trim(arg, "[]"), " + ")
		names := map[string]string{"rax": "AX", "rbx": "BX", "r9": "R9", "r11": "R11", "r12": "R12", "r13": "R13"}
		base := m.value(names[parts[0]])
		if len(parts) == 3 {
			base += m.value("$" + parts[2])
		}
		return pointer(base), int(m.value(names[parts[1]]))
	}
	switch i.name {
	case "ldtilecfg":
		if m.stack[0] != 1 || m.stack[1] != 0 {
			panic("the configuration is not of palette 1")
		}
		m.ready = true
		for n := range m.tiles {
			x := &m.tiles[n]
			x.bytes, x.rows = int(m.stack[16+2*n])+int(m.stack[17+2*n])<<8, int(m.stack[48+n])
			x.data = [16][64]byte{}
			if x.rows > 16 || x.bytes > 64 || (x.rows == 0) != (x.bytes == 0) {
				panic(fmt.Sprintf("tile register %d of %d rows of %d bytes", n, x.rows, x.bytes))
			}
		}
	case "tilerelease":
		m.ready = false
	case "tilezero":
		m.tiles[number(i.args[0])].data = [16][64]byte{}
	case "tileloadd":
		x := &m.tiles[number(i.args[0])]
		at, stride := lines(i.args[1])
		for r := range x.rows {
			copy(x.data[r][:x.bytes], unsafe.Slice((*byte)(unsafe.Add(at, r*stride)), x.bytes))
		}
	case "tilestored":
		x := &m.tiles[number(i.args[1])]
		at, stride := lines(i.args[0])
		for r := range x.rows {
			copy(unsafe.Slice((*byte)(unsafe.Add(at, r*stride)), x.bytes), x.data[r][:])
		}
	case "tdpbf16ps", "tdpbssd":
		c, a, b := &m.tiles[number(i.args[0])], &m.tiles[number(i.args[1])], &m.tiles[number(i.args[2])]
		if a.rows != c.rows || a.bytes != 4*b.rows || b.bytes != c.bytes {
			panic("shapes do not fit: " + i.text)
		}
		for r := range c.rows {
			x := (*[16]uint32)(unsafe.Pointer(&a.data[r]))[:b.rows]
			sums := (*[16]uint32)(unsafe.Pointer(&c.data[r]))[:c.bytes/4]
			if i.name == "tdpbssd" {
				for k, word := range x {
					y := (*[16]uint32)(unsafe.Pointer(&b.data[k]))
					for j := range sums {
						for q := 0; q < 32; q += 8 {
							sums[j] += uint32(int32(int8(word>>q)) * int32(int8(y[j]>>q)))
						}
					}
				}
				continue
			}
			for j := range sums {
				// The even products and the odd ones are chains of fused multiply-adds of their own. That a product of two
				// bfloat16 is exact makes float64 a fused multiply-add here.
				var even, odd float32
				for k, word := range x {
					y := (*[16]uint32)(unsafe.Pointer(&b.data[k]))[j]
					even = flush(float32(float64(even) + float64(low(word))*float64(low(y))))
					odd = flush(float32(float64(odd) + float64(high(word))*float64(high(y))))
				}
				sums[j] = math.Float32bits(flush(flush(math.Float32frombits(sums[j])) + flush(even+odd)))
			}
		}
	default:
		panic("unknown instruction " + i.text)
	}
}

// low and high are the numbers of a word.
func low(word uint32) float32  { return flush(math.Float32frombits(word << 16)) }
func high(word uint32) float32 { return flush(math.Float32frombits(word &^ 0xffff)) }

// flush takes a denormal number for zero.
func flush(v float32) float32 {
	if math.Float32bits(v)&^signBit < 1<<23 {
		return 0
	}
	return v
}
