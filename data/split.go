package data

import "fmt"

// Split divides labeled items at random into two parts, class by class, and returns the positions of both in ascending order.
// Of the n items of a class, ⌊n·share + ½⌋ go into second: at least one when share is above 0 and there are two or more. At
// least one stays in first. The division depends on seed, on each class's size and on nothing else.
//
// It returns an error when share is not in [0, 1), and for a label that is not in 0 to classes-1.
func Split(labels []int, classes int, share float64, seed uint64) (first, second []int, err error) {
	if !(share >= 0 && share < 1) {
		return nil, nil, fmt.Errorf("data: split: share %v, expected 0 ≤ share < 1", share)
	}
	members := make([][]int, max(0, classes))
	for i, l := range labels {
		if l < 0 || l >= classes {
			return nil, nil, fmt.Errorf("data: split: item %d has label %d, expected 0 to %d", i, l, classes-1)
		}
		members[l] = append(members[l], i)
	}
	apart := make([]bool, len(labels))
	for class, m := range members {
		n := int(float64(float64(len(m))*share) + 0.5)
		if share > 0 && len(m) > 1 {
			n = min(max(n, 1), len(m)-1)
		} else if len(m) == 1 {
			n = 0
		}
		for _, k := range NewRand(seed, uint64(class)).Perm(len(m))[:n] {
			apart[m[k]] = true
		}
	}
	for i, a := range apart {
		if a {
			second = append(second, i)
		} else {
			first = append(first, i)
		}
	}
	return first, second, nil
}
