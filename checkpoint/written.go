package checkpoint

import "slices"

// Tensors returns the names of the tensors in which a file may hold a parameter: a list for each form of it, the form
// that is written first. A list has several names where the parameter is held in parts along its first dimension; ""
// stands for a part that no file holds. A parameter that no rule knows is held under its own path.
func (n *Names) Tensors(param string) [][]string {
	var all [][]string
	for _, p := range n.places(param) {
		all = append(all, slices.Clone(p.parts))
	}
	return all
}
