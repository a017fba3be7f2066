// Package trie finds the strings of a list that begin a text:
//
//	t := trie.New([]string{"a", "abc"})
//	node, ok := trie.Root, true
//	for i := 0; i < len(text) && ok; i++ {
//		if node, ok = t.Child(node, text[i]); ok && t.Value(node) >= 0 {
//			fmt.Println(text[:i+1]) // a, abc for "abcd"
//		}
//	}
//
// A [Trie] is a double array: the child of node n for the byte c is the cell cells[n].base ^ c, if that cell names n as
// its parent (J. Aoe, "An efficient digital search algorithm by using a double-array structure", 1989).
package trie

import (
	"cmp"
	"slices"
)

// A Trie maps byte strings to their numbers. It is immutable.
type Trie struct {
	cells []cell // whole blocks of 256
}

// Root is the node of the empty string. None is no node.
const (
	Root = uint32(0)
	None = ^uint32(0)
)

// cell is a node, or free.
type cell struct {
	base   uint32
	parent uint32 // None: the root, or a free cell
	value  uint32 // the number of the string that ends here, plus one; 0: none
}

const block = 256

// Child returns the child of a node for a byte. The result false means that there is none, and node is meaningless. The
// node must not be None.
func (t *Trie) Child(node uint32, c byte) (child uint32, ok bool) {
	child = t.cells[node].base ^ uint32(c)
	return child, int(child) < len(t.cells) && t.cells[child].parent == node
}

// Value returns the number of the string that ends at a node, or -1.
func (t *Trie) Value(node uint32) int { return int(t.cells[node].value) - 1 }

// Find returns the node of a string.
func (t *Trie) Find(s string) (node uint32, ok bool) {
	node = Root
	for i := range len(s) {
		if node, ok = t.Child(node, s[i]); !ok {
			return None, false
		}
	}
	return node, true
}

// Lookup returns the number of a string, or -1.
func (t *Trie) Lookup(s string) int {
	node, ok := t.Find(s)
	if !ok {
		return -1
	}
	return t.Value(node)
}

// New numbers strings by their places in a list. Of equal strings the last counts. Time and memory are linear in
// the bytes of the strings, beside the time to sort them.
func New(list []string) *Trie {
	order := make([]uint32, len(list))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return cmp.Or(cmp.Compare(list[a], list[b]), cmp.Compare(a, b)) })
	b := builder{list: list, order: order}
	b.grow()
	b.take(0, 0)
	// Breadth first: the nodes near the root, which every word visits, come to lie together.
	queue := []span{{node: 0, from: 0, to: uint32(len(order))}}
	for len(queue) > 0 {
		next := queue[1:]
		queue = b.expand(queue[0], next)
	}
	b.close()
	return &Trie{cells: b.cells}
}

// span is a node whose children are not placed: its strings are order[from:to], which share depth bytes.
type span struct {
	node, from, to, depth uint32
}

type builder struct {
	list  []string
	order []uint32
	cells []cell
	// The free cells are a ring, linked by base (next) and value (previous).
	free uint32 // one of them, or None
}

// expand places the children of a node and appends them to the queue.
func (b *builder) expand(s span, queue []span) []span {
	at := s.from
	for at < s.to && len(b.list[b.order[at]]) == int(s.depth) {
		b.cells[s.node].value = b.order[at] + 1
		at++
	}
	first := len(queue)
	for at < s.to {
		c, from := b.list[b.order[at]][s.depth], at
		for at++; at < s.to && b.list[b.order[at]][s.depth] == c; {
			at++
		}
		queue = append(queue, span{node: uint32(c), from: from, to: at, depth: s.depth + 1})
	}
	children := queue[first:]
	if len(children) == 0 {
		return queue
	}
	base := b.place(children)
	b.cells[s.node].base = base
	for i := range children {
		at := base ^ children[i].node
		b.take(at, s.node)
		children[i].node = at
	}
	return queue
}

// place returns a base that puts children on free cells. It tries few places: a list of strings made so that no
// place fits then costs memory, bounded by one block for each node, and not time.
func (b *builder) place(children []span) uint32 {
	const tries = 32
	if b.free != None {
		at := b.free
		for range tries {
			base := at ^ children[0].node
			if b.fits(base, children[1:]) {
				return base
			}
			if at = b.cells[at].base; at == b.free {
				break
			}
		}
		b.free = at // the next search begins where this one gave up
	}
	start := uint32(len(b.cells))
	b.grow()
	return start
}

func (b *builder) fits(base uint32, children []span) bool {
	for i := range children {
		if b.cells[base^children[i].node].parent != None {
			return false
		}
	}
	return true
}

// grow appends a block of free cells to the ring.
func (b *builder) grow() {
	start := uint32(len(b.cells))
	for i := range uint32(block) {
		b.cells = append(b.cells, cell{base: start + (i+1)%block, parent: None, value: start + (i+block-1)%block})
	}
	if start == 0 {
		b.free = 0
		return
	}
	if b.free == None {
		b.free = start
		return
	}
	// Join the ring of the block before the current cell.
	last, end := b.cells[b.free].value, start+block-1
	b.cells[last].base, b.cells[start].value = start, last
	b.cells[end].base, b.cells[b.free].value = b.free, end
}

// take removes a cell from the ring and gives it to a node.
func (b *builder) take(at, parent uint32) {
	next, previous := b.cells[at].base, b.cells[at].value
	b.cells[previous].base, b.cells[next].value = next, previous
	if b.free == at {
		if b.free = next; next == at {
			b.free = None
		}
	}
	b.cells[at] = cell{parent: parent}
}

// close clears the cells that stayed free.
func (b *builder) close() {
	for i := range b.cells {
		if b.cells[i].parent == None {
			b.cells[i] = cell{parent: None}
		}
	}
	// The root is no node's child.
	b.cells[0].parent = None
}
