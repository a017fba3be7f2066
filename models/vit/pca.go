package vit

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// PCAOptions change how [PCA] shows features. The zero value is that of DINOv2.
type PCAOptions struct {
	// Whole shows all patches, and takes none for background.
	Whole bool
	// Threshold is the value of the first component above which a patch is foreground. The component is scaled to 0..1 over all
	// patches of all images. nil means its mean, as in the paper.
	Threshold *float64
	// Invert takes the other side of the threshold for foreground.
	Invert bool
	// Workers bounds the cores. Their number does not change the result. nil is serial.
	Workers *simd.Workers
}

// PCA shows the tokens of patches as colors, in images of one pixel a patch (Oquab et al., DINOv2, arXiv 2304.07193, figure
// 1). Patches with similar tokens have similar colors, also in different images. First, the first principal component of
// all patches tells foreground and background apart: the background, which is black, is the side to which the patches
// on the images' borders belong on average. Then the first three components of the foreground, each scaled to
// 0..255, are red, green and blue. The result has the same bits on every machine. vision.Resize with vision.Nearest
// enlarges it.
//
//	features, err := model.Features(ctx, vit.FeatureOptions{}, photographs...)
//	…
//	shown, err := vit.PCA(vit.PCAOptions{}, last...) // the features of one layer, of all photographs
//
// The sign of a component is that of its entry with the largest magnitude, as in scikit-learn. It returns an error for
// features that are not finite or of different widths, and for no patches.
func PCA(o PCAOptions, features ...Features) ([]*vision.Image, error) {
	x, err := patchMatrix(features)
	if err != nil {
		return nil, fmt.Errorf("vit: PCA: %w", err)
	}
	shown := make([]int, x.n) // the patches of the foreground
	for i := range shown {
		shown[i] = i
	}
	if !o.Whole {
		first := x.scores(1, o.Workers)[0]
		if inwards(first, features) == o.Invert {
			for i, v := range first {
				first[i] = -v
			}
		}
		limit := 0.0
		if o.Threshold != nil {
			low, high := slices.Min(first), slices.Max(first)
			limit = low + *o.Threshold*(high-low)
		}
		shown = slices.DeleteFunc(shown, func(i int) bool { return !(first[i] > limit) })
	}
	colors := make([][3]uint8, x.n)
	if len(shown) > 0 {
		for c, values := range x.of(shown).scores(3, o.Workers) {
			low, high := slices.Min(values), slices.Max(values)
			for i, v := range values {
				if high > low {
					colors[shown[i]][c] = uint8(255*((v-low)/(high-low)) + 0.5)
				}
			}
		}
	}
	images := make([]*vision.Image, len(features))
	for i, f := range features {
		images[i] = vision.NewImage(f.Rows, f.Columns, 3)
		for p, color := range colors[:f.Rows*f.Columns] {
			copy(images[i].Pix[3*p:], color[:])
		}
		colors = colors[f.Rows*f.Columns:]
	}
	return images, nil
}

// inwards reports whether values, one a patch of all images, are lower on the images' borders than inside.
func inwards(values []float64, features []Features) bool {
	var sum [2]float64
	var count [2]float64
	i := 0
	for _, f := range features {
		for row := range f.Rows {
			for column := range f.Columns {
				side := 1
				if row == 0 || column == 0 || row == f.Rows-1 || column == f.Columns-1 {
					side = 0
				}
				sum[side] += values[i]
				count[side]++
				i++
			}
		}
	}
	return count[1] == 0 || sum[0]/count[0] <= sum[1]/count[1]
}

// rows is a matrix, [n, d], of the tokens of patches.
type rows struct {
	values []float32
	n, d   int
}

// patchMatrix returns the tokens of the patches of all images.
func patchMatrix(features []Features) (rows, error) {
	var x rows
	for i, f := range features {
		patches := f.Rows * f.Columns
		if patches <= 0 || len(f.Patches) == 0 || len(f.Patches)%patches != 0 {
			return rows{}, fmt.Errorf("image %d: expected the tokens of %d×%d patches, found %d values", i, f.Rows, f.Columns, len(f.Patches))
		}
		width := len(f.Patches) / patches
		if i > 0 && width != x.d {
			return rows{}, fmt.Errorf("image %d: expected tokens of %d values, as of the first image, found %d", i, x.d, width)
		}
		for _, v := range f.Patches {
			if v-v != 0 {
				return rows{}, fmt.Errorf("image %d: expected finite values, found %v", i, v)
			}
		}
		x.values, x.n, x.d = append(x.values, f.Patches...), x.n+patches, width
	}
	if x.n == 0 {
		return rows{}, errors.New("expected features, found none")
	}
	return x, nil
}

// of returns some of the rows.
func (x rows) of(list []int) rows {
	some := rows{make([]float32, 0, len(list)*x.d), len(list), x.d}
	for _, i := range list {
		some.values = append(some.values, x.values[i*x.d:][:x.d]...)
	}
	return some
}

// scores returns the first k principal components of each row, [k][n], the one with the largest variance first.
// Components that the rows do not have are zeros.
func (x rows) scores(k int, w *simd.Workers) [][]float64 {
	x = x.centered()
	// The eigenvectors of the smaller product give the components: v of XᵀX, or u of X·Xᵀ with v = Xᵀu.
	size, inner := x.d, x.n
	a := simd.Matrix{Data: x.values, Stride: x.d, Trans: true}
	b := simd.Matrix{Data: x.values, Stride: x.d}
	wide := x.n < x.d
	if wide {
		size, inner = x.n, x.d
		a, b = b, a
	}
	product := make([]float32, size*size)
	simd.Gemm(w, size, size, inner, a, b, 0, product, size, nil)
	scores := make([][]float64, k)
	for c, v := range leading(product, size, k) {
		if wide {
			v = x.combine(v)
		}
		normalize(v)
		scores[c] = make([]float64, x.n)
		for i := range scores[c] {
			for j, f := range x.values[i*x.d:][:x.d] {
				scores[c][i] += float64(float64(f) * v[j])
			}
		}
	}
	return scores
}

// centered returns the rows less their mean.
func (x rows) centered() rows {
	means := make([]float64, x.d)
	for row := range slices.Chunk(x.values, x.d) {
		for j, v := range row {
			means[j] += float64(v)
		}
	}
	y := rows{make([]float32, len(x.values)), x.n, x.d}
	for i, v := range x.values {
		y.values[i] = float32(float64(v) - means[i%x.d]/float64(x.n))
	}
	return y
}

// combine returns Xᵀu.
func (x rows) combine(u []float64) []float64 {
	v := make([]float64, x.d)
	for i, f := range u {
		for j, t := range x.values[i*x.d:][:x.d] {
			v[j] += float64(f * float64(t))
		}
	}
	return v
}

// normalize scales a vector to the length 1, and makes its entry with the largest magnitude positive. Zeros stay zeros.
func normalize(v []float64) {
	length, largest := math.Sqrt(dot(v, v)), 0.0
	for _, f := range v {
		if math.Abs(f) > math.Abs(largest) {
			largest = f
		}
	}
	if largest < 0 {
		length = -length
	}
	for i := range v {
		if length != 0 {
			v[i] /= length
		}
	}
}

// dot returns the product of two vectors, with the same roundings on every machine.
func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(v * b[i])
	}
	return sum
}
