package boxes

import (
	"fmt"
	"math"
)

// What [Matcher.Match] returns for an anchor without an object.
const (
	NoObject = -1 // the anchor is background
	Between  = -2 // it is neither: no loss counts it
)

// Matcher gives anchors their objects by IoU, as torchvision's Matcher.
type Matcher struct {
	High, Low float32 // an anchor has an object from High on, and is background below Low
	// Best also gives each object the anchors that overlap it most, however little, unless they have one already. Such an anchor
	// gets the object that it overlaps most itself, which may be another one. An object that overlaps no anchor then changes all
	// anchors whose overlap with it is 0, too. Both are as in torchvision.
	Best bool
}

// Match returns for each anchor the position of its object, [NoObject] or [Between]. Of equal overlaps the first object counts.
// Without objects, all anchors are background, where torchvision's Matcher reports an error.
func (m Matcher) Match(objects, anchors []Box) []int {
	match, first := make([]int, len(anchors)), make([]int, len(anchors))
	best := make([]float32, len(objects)) // the largest overlap of each object
	for i := range best {
		best[i] = float32(math.Inf(-1))
	}
	for i, a := range anchors {
		most := float32(math.Inf(-1))
		for j, o := range objects {
			v := o.IoU(a)
			best[j] = max(best[j], v)
			if v > most {
				most, first[i] = v, j
			}
		}
		switch {
		case len(objects) == 0 || most < m.Low:
			match[i] = NoObject
		case most < m.High:
			match[i] = Between
		default:
			match[i] = first[i]
		}
	}
	if !m.Best {
		return match
	}
	for i, a := range anchors {
		for j, o := range objects {
			if o.IoU(a) == best[j] {
				match[i] = first[i]
				break
			}
		}
	}
	return match
}

// Assign returns the assignment of rows to columns with the smallest sum of costs: the column of each row, or -1. cost is [rows,
// columns], row-major. As many pairs are made as the shorter side has (the Hungarian method, by shortest augmenting paths:
// Jonker and Volgenant, 1987; Crouse, 2016). It takes time in rows·columns·min(rows, columns).
//
// A cost that is NaN or -Inf is an error. One of +Inf forbids the pair; when no full assignment is left, that is an error too.
// Of several best assignments, any may be returned, the same one each time. It panics unless len(cost) is rows·columns.
func Assign(cost []float64, rows, columns int) ([]int, error) {
	if rows < 0 || columns < 0 || len(cost) != rows*columns {
		panic(fmt.Sprintf("boxes: Assign: %d costs, expected %d×%d", len(cost), rows, columns))
	}
	for i, c := range cost {
		if math.IsNaN(c) || math.IsInf(c, -1) {
			return nil, fmt.Errorf("boxes: the cost of row %d and column %d is %v", i/columns, i%columns, c)
		}
	}
	if rows > columns {
		turned := make([]float64, len(cost))
		for i := range rows {
			for j := range columns {
				turned[j*rows+i] = cost[i*columns+j]
			}
		}
		rowOf, err := Assign(turned, columns, rows)
		if err != nil {
			return nil, err
		}
		columnOf := filled(rows, -1)
		for j, i := range rowOf {
			columnOf[i] = j
		}
		return columnOf, nil
	}
	a := assignment{cost: cost, columns: columns, u: make([]float64, rows), v: make([]float64, columns),
		columnOf: filled(rows, -1), rowOf: filled(columns, -1), from: make([]int, columns),
		least: make([]float64, columns), done: make([]bool, columns), visited: make([]int, 0, rows)}
	for row := range rows {
		if !a.augment(row) {
			return nil, fmt.Errorf("boxes: the infinite costs leave no assignment of all %d rows to %d columns", rows, columns)
		}
	}
	return a.columnOf, nil
}

func filled(n, value int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = value
	}
	return s
}

// assignment is a best assignment of the first rows. For its pairs, cost - u - v is 0, and for all others at least 0.
type assignment struct {
	cost            []float64
	columns         int
	u, v            []float64 // of rows and columns
	columnOf, rowOf []int

	// Of one search:
	from    []int     // the row before a column, on the path
	least   []float64 // the cost of the path to a column
	done    []bool    // by column
	visited []int     // rows, but the first
}

// augment assigns one more row, by the shortest path to a free column. It reports false when there is none.
func (a *assignment) augment(first int) bool {
	for j := range a.least {
		a.least[j], a.done[j] = math.Inf(1), false
	}
	a.visited = a.visited[:0]
	length, row, sink := 0.0, first, -1
	for sink < 0 {
		next, shortest := -1, math.Inf(1)
		costs := a.cost[row*a.columns : (row+1)*a.columns]
		for j, c := range costs {
			if a.done[j] {
				continue
			}
			if d := length + c - a.u[row] - a.v[j]; d < a.least[j] {
				a.least[j], a.from[j] = d, row
			}
			// Of equal paths, one to a free column ends the search.
			if a.least[j] < shortest || a.least[j] == shortest && next >= 0 && a.rowOf[j] < 0 && a.rowOf[next] >= 0 {
				next, shortest = j, a.least[j]
			}
		}
		if next < 0 {
			return false
		}
		length, a.done[next] = shortest, true
		if a.rowOf[next] < 0 {
			sink = next
		} else {
			row = a.rowOf[next]
			a.visited = append(a.visited, row)
		}
	}
	a.u[first] += length
	for _, i := range a.visited {
		a.u[i] += length - a.least[a.columnOf[i]]
	}
	for j, done := range a.done {
		if done {
			a.v[j] -= length - a.least[j]
		}
	}
	for j := sink; j >= 0; {
		i := a.from[j]
		a.rowOf[j] = i
		j, a.columnOf[i] = a.columnOf[i], j
	}
	return true
}
