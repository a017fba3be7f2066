package regex

import "slices"

// bytes257 is a set of next bytes; 256 is the end of the text.
type bytes257 [257]bool

// finish completes the program: the alternatives for each next byte, the bytes that begin a match, and the records.
func (p *program) finish() {
	f := firsts{code: p.code, known: map[int32]*bytes257{}}
	for i := range p.code {
		f.of(int32(i))
	}
	for i := range p.code {
		if in := &p.code[i]; in.op == opBranch {
			f.dispatch(in)
		}
	}
	first := f.of(p.start)
	p.always = first[256]
	for b := range p.first {
		p.first[b] = first[b]
	}
	p.record()
}

// firsts finds which bytes may follow when an instruction leads to a match.
type firsts struct {
	code  []instruction
	known map[int32]*bytes257
}

func (f *firsts) of(at int32) *bytes257 {
	if s, ok := f.known[at]; ok {
		return s
	}
	s := new(bytes257)
	f.known[at] = s
	in := &f.code[at]
	switch in.op {
	case opByte, opText:
		s[in.lit[0]] = true
	case opSet:
		f.lead(s, in.set)
	case opRun:
		*s = *f.of(in.next)
		f.lead(s, in.set)
	case opPossess:
		*s = *f.of(in.idle)
		f.lead(s, in.set)
	case opBranch:
		for _, c := range in.choices[0] {
			for b, ok := range f.of(c) {
				s[b] = s[b] || ok
			}
		}
	case opAssert, opLookSet, opBehindSet, opLook: // nothing is consumed: the bytes of the rest
		if f.code[at].back {
			f.all(s)
		} else {
			*s = *f.of(in.next)
		}
	case opAtomic:
		*s = *f.of(in.sub) // all if it may be empty, as accepting allows all
	case opFail:
	default: // accepting, and reading backward
		f.all(s)
	}
	return s
}

func (f *firsts) lead(s *bytes257, set *set) {
	for b, ok := range set.lead {
		s[b] = s[b] || ok
	}
}

func (f *firsts) all(s *bytes257) {
	for b := range s {
		s[b] = true
	}
}

// dispatch fills choices and choose of a branch.
func (f *firsts) dispatch(in *instruction) {
	all := in.choices[0]
	if in.back {
		return
	}
	in.choices, in.choose = nil, new([257]uint8)
	for b := range in.choose {
		var list []int32
		for _, c := range all {
			if f.of(c)[b] {
				list = append(list, c)
			}
		}
		k := slices.IndexFunc(in.choices, func(l []int32) bool { return slices.Equal(l, list) })
		if k < 0 {
			if len(in.choices) == 255 { // more lists than an index can tell: the byte rules out nothing
				in.choices, in.choose = [][]int32{all}, nil
				return
			}
			k = len(in.choices)
			in.choices = append(in.choices, list)
		}
		in.choose[b] = uint8(k)
	}
}

// record gives a record to each instruction that is reached in several ways. Together they bound the time: each is run
// once at each place of the text.
func (p *program) record() {
	ways := make([]int, len(p.code))
	ways[p.start]++
	for i := range p.code {
		in := &p.code[i]
		switch in.op {
		case opFail, opAccept:
		case opBranch:
			seen := map[int32]bool{}
			for _, list := range in.choices {
				for _, c := range list {
					if !seen[c] {
						seen[c] = true
						ways[c]++
					}
				}
			}
		case opRun: // it goes on at several places, from several places
			ways[i] += 2
			ways[in.next] += 2
		case opPossess:
			ways[i] += 2
			ways[in.next] += 2
			ways[in.idle] += 2
		case opAtomic:
			ways[in.sub] += 2
			ways[in.next] += 2
			ways[in.idle] += 2
		case opLook:
			ways[in.sub] += 2
			ways[in.next]++
		default:
			ways[in.next]++
		}
	}
	for i := range p.code {
		in := &p.code[i]
		switch {
		case ways[i] < 2 || in.op == opAccept || in.op == opFail:
		case in.inner || in.op == opPossess:
			in.memo = int32(p.inner)
			p.inner++
		default:
			in.memo = int32(p.outer)
			p.outer++
		}
	}
}
