package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A row shows one tensor, or the same tensor of several equal blocks.
type row struct {
	name    string // with the numbers in braces: blocks.{0..11}.attn.qkv.weight
	first   tensor
	tensors []int // indices
}

// fold makes one row of the tensors that differ only in the number of their block. The blocks must be equal: the same
// names, shapes and types.
func fold(list []tensor) []row {
	root := &node{tensor: -1}
	for i, t := range list {
		root.add(t.Name, i)
	}
	kinds := kinds{list: list, ids: map[string]int{}}
	kinds.of(root)
	var rows []row
	root.rows("", []*node{root}, func(name string, at []int) {
		rows = append(rows, row{name, list[at[0]], at})
	})
	return rows
}

// unfolded makes one row of each tensor.
func unfolded(list []tensor) []row {
	rows := make([]row, len(list))
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compareNames(list[a].Name, list[b].Name) })
	for i, at := range order {
		rows[i] = row{list[at].Name, list[at], []int{at}}
	}
	return rows
}

// A node is a part of a name, between dots, in the tree of all names.
type node struct {
	key      string
	tensor   int // index of the tensor whose name ends here, or -1
	kind     int // nodes of one kind have equal subtrees
	children []*node
	byKey    map[string]*node
}

// maxParts is the maximum number of parts of a name. The last part holds the rest.
const maxParts = 32

func (n *node) add(name string, tensor int) {
	for _, key := range strings.SplitN(name, ".", maxParts) {
		if n.byKey == nil {
			n.byKey = map[string]*node{}
		}
		c := n.byKey[key]
		if c == nil {
			c = &node{key: key, tensor: -1}
			n.byKey[key] = c
			n.children = append(n.children, c)
		}
		n = c
	}
	n.tensor = tensor
}

// kinds gives each kind of node a number.
type kinds struct {
	list []tensor
	ids  map[string]int
}

// of sorts the subtree of n and sets its kind.
func (k *kinds) of(n *node) {
	slices.SortFunc(n.children, func(a, b *node) int { return compareParts(a.key, b.key) })
	var b strings.Builder
	if n.tensor >= 0 {
		t := k.list[n.tensor]
		fmt.Fprint(&b, t.Type, t.Shape)
	}
	for _, c := range n.children {
		k.of(c)
		fmt.Fprintf(&b, "/%q:%d", c.key, c.kind)
	}
	id, ok := k.ids[b.String()]
	if !ok {
		id = len(k.ids) + 1
		k.ids[b.String()] = id
	}
	n.kind = id
}

// rows calls emit for each row below n. equal are all nodes that the row combines: they have the kind of n. prefix is
// their combined name, with a dot at its end.
func (n *node) rows(prefix string, equal []*node, emit func(name string, tensors []int)) {
	// Numbered children of one kind form a group, at the position of its first child.
	var groups [][]int
	ofKind := map[int]int{} // index of the group of a kind
	for i, c := range n.children {
		if _, ok := number(c.key); ok {
			if at, ok := ofKind[c.kind]; ok {
				groups[at] = append(groups[at], i)
				continue
			}
			ofKind[c.kind] = len(groups)
		}
		groups = append(groups, []int{i})
	}
	for _, same := range groups {
		c := n.children[same[0]]
		keys := make([]string, len(same))
		var below []*node
		for k, j := range same {
			keys[k] = n.children[j].key
		}
		for _, e := range equal { // nodes of one kind have the same children in the same order
			for _, j := range same {
				below = append(below, e.children[j])
			}
		}
		name := prefix + braces(keys)
		if c.tensor >= 0 {
			at := make([]int, len(below))
			for k, b := range below {
				at[k] = b.tensor
			}
			emit(name, at)
		}
		c.rows(name+".", below, emit)
	}
}

// braces formats the numbers of blocks: "3", "{0..11}", "{0,2,5..7}".
func braces(keys []string) string {
	if len(keys) == 1 {
		return keys[0]
	}
	var parts []string
	for i := 0; i < len(keys); {
		j := i
		a, _ := number(keys[i])
		for j+1 < len(keys) {
			if b, _ := number(keys[j+1]); b != a+j+1-i {
				break
			}
			j++
		}
		if j > i {
			parts = append(parts, keys[i]+".."+keys[j])
		} else {
			parts = append(parts, keys[i])
		}
		i = j + 1
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// number parses a part of a name as a block's number.
func number(part string) (int, bool) {
	if part == "" || len(part) > 6 || part[0] == '0' && part != "0" {
		return 0, false
	}
	for i := range len(part) {
		if part[i] < '0' || part[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(part)
	return n, err == nil
}

// compareParts orders numbers by value, and numbers before words.
func compareParts(a, b string) int {
	x, isX := number(a)
	y, isY := number(b)
	switch {
	case isX && isY:
		return cmp.Compare(x, y)
	case isX:
		return -1
	case isY:
		return 1
	}
	return strings.Compare(a, b)
}

// compareNames compares names part by part.
func compareNames(a, b string) int {
	return slices.CompareFunc(strings.SplitN(a, ".", maxParts), strings.SplitN(b, ".", maxParts), compareParts)
}
