package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// Few machines have AMX. A small interpreter runs the assembly of its kernels, so that they are tested everywhere: loops,
// addresses, edges and the arithmetic. What it knows of the tile instructions is from Intel's manual, volume 2. Encodings
// are compared in internal/gemmgen.

// A machine is what the kernels of AMX use of a processor.
type machine struct {
	reg   map[string]uint64
	mask  map[string]uint16
	zmm   map[string][16]uint32
	equal bool
	carry bool
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
		case line == "" || strings.HasPrefix(line, "//") || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "PCALIGN"):
		case strings.HasSuffix(line, ":"):
			f.labels[strings.TrimSuffix(line, ":")] = len(f.code)
		default:
			if isRaw && strings.HasPrefix(raw, "BYTE") {
				line = notation
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
			jump = m.equal
		case "JNE":
			jump = !m.equal
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

// address returns where an operand in memory is: disp(base) in Go's notation.
func (m *machine) address(arg string) (unsafe.Pointer, bool) {
	disp, rest, ok := strings.Cut(arg, "(")
	if !ok || strings.HasSuffix(arg, "(FP)") {
		return nil, false
	}
	n := 0
	if disp != "" {
		n, _ = strconv.Atoi(disp)
	}
	base, ok := m.reg[strings.TrimSuffix(rest, ")")]
	if !ok {
		panic("no address " + arg)
	}
	return pointer(base + uint64(n)), true
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

// vector returns a register or a line of memory, of which a mask may choose lanes.
func (m *machine) vector(arg string, mask uint16) (v [16]uint32) {
	p, ok := m.address(arg)
	if !ok {
		return m.zmm[arg]
	}
	for i := range v {
		if mask>>i&1 != 0 {
			v[i] = *(*uint32)(unsafe.Add(p, 4*i))
		}
	}
	return v
}

func (m *machine) step(i *instruction) {
	a := i.args
	last := len(a) - 1
	arithmetic := func(f func(x, y uint64) uint64) {
		v := f(m.value(a[last]), m.value(a[0]))
		m.set(a[last], v)
		m.equal = v == 0
	}
	switch i.name {
	case "MOVQ":
		m.set(a[1], m.value(a[0]))
	case "MOVB":
		p, _ := m.address(a[1])
		*(*uint8)(p) = uint8(m.value(a[0]))
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
		m.equal = m.value(a[0]) == m.value(a[1])
	case "KMOVW":
		m.mask[a[1]] = uint16(m.value(a[0]))
	case "VMOVUPS":
		mask := uint16(math.MaxUint16)
		if last == 2 {
			mask = m.mask[a[1]]
		}
		v := m.vector(a[0], mask)
		if p, ok := m.address(a[last]); ok {
			for j := range v {
				if mask>>j&1 != 0 {
					*(*uint32)(unsafe.Add(p, 4*j)) = v[j]
				}
			}
		} else {
			m.zmm[a[last]] = v
		}
	case "VADDPS", "VPADDD":
		mask := m.mask[a[2]]
		x, y := m.vector(a[0], mask), m.vector(a[1], mask)
		for j := range x {
			switch {
			case mask>>j&1 == 0:
				x[j] = m.zmm[a[3]][j]
			case i.name == "VPADDD":
				x[j] += y[j]
			default:
				x[j] = math.Float32bits(math.Float32frombits(x[j]) + math.Float32frombits(y[j]))
			}
		}
		m.zmm[a[3]] = x
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

// interpreted returns a kernel of AMX whose tiles the interpreter runs.
func interpreted(t *testing.T, k *wordKernel, name string) *wordKernel {
	functions := readAssembly(t, "gemm_amx_amd64.s")
	low, high := functions["amx16"+name], functions["amx32"+name]
	x, kern := *k, *k.kern
	kern.multiply = func(t *gemmTile) {
		f := high
		if t.rows <= 16 {
			f = low
		}
		new(machine).run(f, t)
	}
	x.kern = &kern
	return &x
}

// needWords skips a test where the processor cannot make words of bfloat16.
func needWords(t *testing.T) {
	if !cpu.X86.HasAVX512BF16 || Levels()[len(Levels())-1] != AVX512 {
		t.Skip("this processor has no AVX512_BF16, which makes the words of AMX")
	}
}

func TestAMX(t *testing.T) {
	needWords(t)
	defer SetLevel(AVX512)()
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	for _, c := range []struct {
		math Math
		kern *wordKernel
		name string
	}{{BF16, bf16AMX, "BF16"}, {Int8, int8AMX, "Int8"}} {
		t.Run(c.name, func(t *testing.T) {
			defer setWords(c.math, interpreted(t, c.kern, c.name))()
			rng := rand.New(rand.NewPCG(9, 10))
			for i := range rounds {
				m, n, k := 1+rng.IntN(70), 1+rng.IntN(70), rng.IntN(200)
				if i%10 == 0 {
					m, n, k = 1+rng.IntN(33), 1+rng.IntN(33), wordBlock*c.kern.numbers/c.kern.words-1+rng.IntN(3)
				}
				p := newWordProblem(rng, c.math, m, n, k, func() float32 { return float32(rng.NormFloat64()) })
				p.run(t, nil)
				p.run(t, NewWorkers(2))
			}
		})
	}
}

// The error of Accurate against float64 is not above that of Strict: in root mean square over the elements of some products,
// each error being a part of Σ|a·b|.
func TestAccurate(t *testing.T) {
	needWords(t)
	defer SetLevel(AVX512)()
	defer setWords(Accurate, interpreted(t, accurateAMX, "Accurate"))()
	depths := []int{16, 64, 768, 4096, 16384}
	if testing.Short() {
		depths = []int{64, 768}
	}
	normal := func(rng *rand.Rand) float32 { return float32(rng.NormFloat64()) }
	for _, c := range []struct {
		name   string
		value  func(rng *rand.Rand) float32
		cancel bool    // the second half of the products nearly cancels the first
		size   float64 // of the whole
	}{
		{"normal", normal, false, 1},
		{"positive", func(rng *rand.Rand) float32 { return rng.Float32() }, false, 1},
		{"cancellation", normal, true, 1},
		{"exponent spread", func(rng *rand.Rand) float32 {
			return float32(math.Ldexp(rng.NormFloat64(), rng.IntN(41)-20))
		}, false, 1},
		{"near overflow", normal, false, 0x1p59},
		{"small", normal, false, 0x1p-40},
	} {
		for _, k := range depths {
			rng := rand.New(rand.NewPCG(11, uint64(k)))
			var strict, accurate float64
			for range max(1, 1000/k) {
				const m, n = 17, 16
				a, b := make([]float32, m*k), make([]float32, n*k)
				for i := range a {
					a[i] = c.value(rng) * float32(c.size)
				}
				for i := range b {
					b[i] = c.value(rng) * float32(c.size)
				}
				if c.cancel {
					for i := range m {
						row := a[i*k:][:k]
						for q := range k / 2 {
							row[k/2+q] = -row[q] * (1 + 0x1p-12*rng.Float32())
						}
					}
					for j := range n {
						copy(b[j*k+k/2:][:k/2], b[j*k:])
					}
				}
				exact, whole := make([]float64, m*n), make([]float64, m*n)
				for i := range exact {
					for q, v := range a[i/n*k:][:k] {
						product := float64(v) * float64(b[i%n*k+q])
						exact[i] += product
						whole[i] += math.Abs(product)
					}
				}
				squares := func(x Math) (sum float64) {
					out := make([]float32, m*n)
					x.Gemm(nil, m, n, k, Matrix{a, k, false}, Matrix{b, k, true}, 0, out, n, nil)
					for i, v := range out {
						d := (float64(v) - exact[i]) / whole[i]
						sum += d * d
					}
					return sum
				}
				strict += squares(Strict)
				accurate += squares(Accurate)
			}
			ratio := math.Sqrt(accurate / strict)
			t.Logf("%s, k=%d: %.2f times the error of strict", c.name, k, ratio)
			if !(ratio <= 1) {
				t.Errorf("%s, k=%d: the error is %g times that of strict", c.name, k, ratio)
			}
		}
	}
}

// Numbers that bfloat16 rounds to infinity stay finite. An infinity times the zero parts of a number is NaN.
func TestAccurateOfStrangeNumbers(t *testing.T) {
	needWords(t)
	defer SetLevel(AVX512)()
	defer setWords(Accurate, interpreted(t, accurateAMX, "Accurate"))()
	inf := float32(math.Inf(1))
	for _, v := range []float32{math.MaxFloat32, -math.MaxFloat32, 0x1.fffp127, inf, -inf, float32(math.NaN()), 0, 1 + 0x1p-23} {
		for k := 1; k < 70; k += 33 {
			a, b, out := make([]float32, k), make([]float32, k), make([]float32, 1)
			a[k-1], b[k-1] = v, 1
			Accurate.Gemm(nil, 1, 1, k, Matrix{a, k, false}, Matrix{b, k, true}, 0, out, 1, nil)
			if want := v; isFinite(v) && out[0] != want || !isFinite(v) && out[0] == out[0] {
				t.Errorf("%g times 1, k=%d: found %g", v, k, out[0])
			}
		}
	}
}
