package tower

import (
	"slices"
	"strconv"
	"strings"
)

// Layer returns the number of the layer that a parameter belongs to, for layer-wise learning-rate decay: 0 for what lies
// before a stack of blocks, i+1 for block i, and count+1 for what lies after it. stack is the path of the blocks, before
// are the paths of what comes first.
func Layer(param, stack string, count int, before ...string) int {
	if rest, ok := strings.CutPrefix(param, stack+"."); ok {
		number, _, _ := strings.Cut(rest, ".")
		if i, err := strconv.Atoi(number); err == nil {
			return i + 1
		}
	}
	if slices.ContainsFunc(before, func(path string) bool { return param == path || strings.HasPrefix(param, path+".") }) {
		return 0
	}
	return count + 1
}
