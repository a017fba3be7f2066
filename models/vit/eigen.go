package vit

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// leading returns the k eigenvectors with the largest eigenvalues of a symmetric positive semidefinite matrix, [n, n],
// the largest first. Where n is below k, and where an eigenvalue is below a millionth of the largest, they are zeros: the
// matrix is not more precise. It iterates on a few more vectors than k
// (subspace iteration with Rayleigh-Ritz steps: Golub and Van Loan, Matrix Computations, 4th edition, section 8.2.4), so that it
// converges by the ratio of the eigenvalue after those to the last one that is wanted.
func leading(matrix []float32, n, k int) [][]float64 {
	const more, steps = 6, 200
	rng := rand.New(rand.NewPCG(1, 2))
	basis := make([][]float64, min(n, k+more))
	for i := range basis {
		basis[i] = make([]float64, n)
		for j := range basis[i] {
			basis[i][j] = rng.Float64() - 0.5
		}
	}
	orthonormalize(basis)
	wanted := min(k, len(basis))
	images := make([][]float64, len(basis))
	for step := 0; ; step++ {
		for i, v := range basis {
			images[i] = multiply(matrix, v)
		}
		// The eigenvectors of the matrix within the span of the basis.
		small := make([][]float64, len(basis))
		for i, v := range basis {
			small[i] = make([]float64, len(basis))
			for j, w := range images {
				small[i][j] = dot(v, w)
			}
		}
		turns := jacobi(small)
		basis, images = combinations(basis, turns), combinations(images, turns)
		if step == steps || converged(basis, images, wanted) {
			break
		}
		basis, images = images, basis
		orthonormalize(basis)
	}
	found := make([][]float64, k)
	for i := range found {
		found[i] = make([]float64, n)
		if i < wanted && dot(basis[i], images[i]) > 1e-6*dot(basis[0], images[0]) {
			copy(found[i], basis[i])
		}
	}
	return found
}

// converged reports whether the first vectors are eigenvectors, to about the precision of the matrix.
func converged(vectors, images [][]float64, wanted int) bool {
	for i, v := range vectors[:wanted] {
		value, rest := dot(v, images[i]), 0.0
		for j, f := range images[i] {
			d := f - float64(value*v[j])
			rest += float64(d * d)
		}
		if math.Sqrt(rest) > 1e-8*dot(vectors[0], images[0]) {
			return false
		}
	}
	return true
}

// multiply returns the product of a symmetric matrix and a vector.
func multiply(matrix []float32, v []float64) []float64 {
	y := make([]float64, len(v))
	for i, f := range v {
		for j, m := range matrix[i*len(v):][:len(v)] {
			y[j] += float64(f * float64(m))
		}
	}
	return y
}

// orthonormalize makes vectors orthogonal to one another and of length 1 (Gram-Schmidt, twice). What depends on the
// vectors before becomes zeros.
func orthonormalize(vectors [][]float64) {
	for i, v := range vectors {
		before := math.Sqrt(dot(v, v))
		for range 2 {
			for _, u := range vectors[:i] {
				f := dot(u, v)
				for j := range v {
					v[j] -= float64(f * u[j])
				}
			}
		}
		length := math.Sqrt(dot(v, v))
		for j := range v {
			if length > 1e-12*before {
				v[j] /= length
			} else {
				v[j] = 0
			}
		}
	}
}

// combinations returns the sums of the vectors by each of the weights.
func combinations(vectors, weights [][]float64) [][]float64 {
	sums := make([][]float64, len(weights))
	for i, w := range weights {
		sums[i] = make([]float64, len(vectors[0]))
		for k, f := range w {
			for j, v := range vectors[k] {
				sums[i][j] += float64(f * v)
			}
		}
	}
	return sums
}

// jacobi returns the eigenvectors of a small symmetric matrix, which it destroys, the one with the largest eigenvalue first
// (cyclic Jacobi rotations: Golub and Van Loan, section 8.5).
func jacobi(a [][]float64) [][]float64 {
	n := len(a)
	vectors := make([][]float64, n)
	for i := range vectors {
		vectors[i] = make([]float64, n)
		vectors[i][i] = 1
	}
	for range 30 {
		for p := range n {
			for q := p + 1; q < n; q++ {
				if math.Abs(a[p][q]) <= 1e-16*math.Sqrt(math.Abs(float64(a[p][p]*a[q][q]))) {
					continue
				}
				theta := (a[q][q] - a[p][p]) / float64(2*a[p][q])
				t := 1 / (math.Abs(theta) + math.Sqrt(float64(theta*theta)+1))
				if theta < 0 {
					t = -t
				}
				c := 1 / math.Sqrt(float64(t*t)+1)
				s := float64(t * c)
				turn := func(x, y *float64) {
					*x, *y = float64(c**x)-float64(s**y), float64(s**x)+float64(c**y)
				}
				for k := range n {
					turn(&a[k][p], &a[k][q])
				}
				for k := range n {
					turn(&a[p][k], &a[q][k])
					turn(&vectors[p][k], &vectors[q][k])
				}
			}
		}
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(a[j][j], a[i][i]) })
	sorted := make([][]float64, n)
	for i, from := range order {
		sorted[i] = vectors[from]
	}
	return sorted
}
