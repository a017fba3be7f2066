package autograd

// lines are the lines of an array along one of its dimensions. The array is seen as [outer, n, inner]: element j of
// the line at (o, i) lies at (o·n + j)·inner + i.
type lines struct{ outer, n, inner int }

// linesOf returns the lines of a shape along dimension d.
func linesOf(shape []int, d int) lines {
	l := lines{1, shape[d], 1}
	for i, s := range shape {
		switch {
		case i < d:
			l.outer *= s
		case i > d:
			l.inner *= s
		}
	}
	return l
}

// lineStrip is the number of neighboring lines that one call of eachLines hands out: few enough for sums on the stack.
const lineStrip = 64

// eachLines calls f, in parallel, for strips of 1 to lineStrip neighboring lines, until all lines are covered. A strip
// holds the w lines from number first on, in the order of (o, i). Element j of its line c lies at at + j·inner + c. The
// cost is that of one element.
func (t *Tape) eachLines(l lines, cost int, f func(at, first, w int)) {
	strips := (l.inner + lineStrip - 1) / lineStrip
	t.each(l.outer*strips, cost*max(1, l.n)*min(l.inner, lineStrip), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			o, c := i/strips, i%strips*lineStrip
			f(o*l.n*l.inner+c, o*l.inner+c, min(lineStrip, l.inner-c))
		}
	})
}
