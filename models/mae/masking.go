package mae

import (
	"cmp"
	"fmt"
	"slices"
)

// Masking divides the patches of each image of a batch into visible and masked ones. Patches are numbered in
// row-major order within an image.
type Masking struct {
	Batch, Patches int
	Visible        [][]int // an image's visible patches, in the order of their noise
	Masked         [][]int // an image's masked patches, likewise
}

// NewMasking keeps the int(patches·(1-ratio)) patches of least noise of each image (MAE, section 3;
// random_masking in models_mae.py of facebookresearch/mae). noise has batch·patches values. Patches of
// equal noise are taken in their order. It panics when the noise has another length or ratio is not in
// [0, 1).
func NewMasking(noise []float32, batch, patches int, ratio float64) *Masking {
	if len(noise) != batch*patches {
		panic(fmt.Sprintf("mae: masking: expected %d×%d noise values, found %d", batch, patches, len(noise)))
	}
	if !(ratio >= 0 && ratio < 1) {
		panic(fmt.Sprintf("mae: masking: expected a ratio of 0 to below 1, found %v", ratio))
	}
	m := &Masking{Batch: batch, Patches: patches}
	keep := int(float64(patches) * (1 - ratio))
	order := make([]int, batch*patches)
	for b := range batch {
		own := noise[b*patches : (b+1)*patches]
		o := order[b*patches : (b+1)*patches : (b+1)*patches]
		for i := range o {
			o[i] = i
		}
		slices.SortStableFunc(o, func(i, j int) int { return cmp.Compare(own[i], own[j]) })
		m.Visible = append(m.Visible, o[:keep:keep])
		m.Masked = append(m.Masked, o[keep:])
	}
	return m
}

// Mask returns 1 for each masked patch and 0 for each visible one, [batch, patches].
func (m *Masking) Mask() []float32 {
	mask := make([]float32, m.Batch*m.Patches)
	for b, own := range m.Masked {
		for _, i := range own {
			mask[b*m.Patches+i] = 1
		}
	}
	return mask
}

// visible returns the number of visible patches of an image.
func (m *Masking) visible() int {
	if m.Batch == 0 {
		return 0
	}
	return len(m.Visible[0])
}

// rows returns the rows of the chosen patches of all images in a matrix [batch·stride, …]. The first patch of each image
// is offset rows after the image's first row.
func (m *Masking) rows(chosen [][]int, stride, offset int) []int {
	var rows []int
	for b, own := range chosen {
		for _, i := range own {
			rows = append(rows, b*stride+offset+i)
		}
	}
	return rows
}

// unshuffle returns, for each place of the decoder's sequences, the row of the encoder's [batch·(1+visible), …] that
// goes there. All masked patches take the row after the last.
func (m *Masking) unshuffle() []int {
	seen := 1 + m.visible()
	rows := make([]int, m.Batch*(1+m.Patches))
	for i := range rows {
		rows[i] = m.Batch * seen
	}
	for b, own := range m.Visible {
		rows[b*(1+m.Patches)] = b * seen
		for k, i := range own {
			rows[b*(1+m.Patches)+1+i] = b*seen + 1 + k
		}
	}
	return rows
}
