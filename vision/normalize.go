package vision

import "fmt"

// Arithmetic is the order of the float32 operations that turn a sample x of 0..255 into a model's input. The results
// differ in the last bit; each order reproduces one library exactly.
type Arithmetic uint8

const (
	// RescaleFirst is the Pillow path of transformers: (float32(x·scale in float64) - mean) / std.
	RescaleFirst Arithmetic = iota
	// Fused is the torchvision path of transformers: (x - mean·(1/scale)) / (std·(1/scale)), in float32.
	Fused
	// UnitFirst is torchvision's ToTensor and Normalize, which timm uses: (x/255 - mean) / std.
	UnitFirst
)

// Means and standard deviations of published models, in the order red, green, blue.
var (
	ImageNetMean = [3]float32{0.485, 0.456, 0.406}
	ImageNetStd  = [3]float32{0.229, 0.224, 0.225}
	HalfMean     = [3]float32{0.5, 0.5, 0.5}
	HalfStd      = [3]float32{0.5, 0.5, 0.5}
	CLIPMean     = [3]float32{0.48145466, 0.4578275, 0.40821073}
	CLIPStd      = [3]float32{0.26862954, 0.26130258, 0.27577711}
)

// Normalizer maps samples to float32 by one table of 256 values per channel. So every arithmetic is exact and costs one
// look-up. Many goroutines may use a Normalizer at once.
type Normalizer struct {
	table    [3][256]float32
	channels int // 3, or 1: then the tables are equal
}

// NewNormalizer returns the normalizer for a mean and a standard deviation of samples scaled to 0..1. scale is the
// factor of RescaleFirst and Fused, and 0 means 1/255. UnitFirst always divides by 255.
func NewNormalizer(mean, std [3]float32, scale float64, a Arithmetic) *Normalizer {
	if scale == 0 {
		scale = 1. / 255
	}
	n := &Normalizer{channels: 3}
	for c := range n.table {
		t := &n.table[c]
		inverse := float32(1 / scale)
		// The conversions keep the product from being fused with the difference below, as on arm64.
		fusedMean, fusedStd := float32(mean[c]*inverse), float32(std[c]*inverse)
		for x := range t {
			switch a {
			case Fused:
				t[x] = (float32(x) - fusedMean) / fusedStd
			case UnitFirst:
				t[x] = (float32(x)/255 - mean[c]) / std[c]
			default:
				t[x] = (float32(float64(x)*scale) - mean[c]) / std[c]
			}
		}
	}
	return n
}

// Level returns the sample of 0..255 whose value in a channel is nearest to v. NaN gives 0.
func (n *Normalizer) Level(channel int, v float32) uint8 {
	t := &n.table[channel]
	low, high := float64(t[0]), float64(t[255]) // a line between them, whatever the arithmetic
	x := float64((float64(v)-low)/(high-low)*255) + 0.5
	switch {
	case x >= 255:
		return 255
	case x > 0:
		return uint8(x)
	}
	return 0
}

// ToCHW writes the image as planes [channels, height, width] to dst. There are three channels, or one where the
// Normalizer is that of a [Preprocess] with Gray. Three are repeated from a gray image, and one is the image in gray. Alpha
// is ignored. It panics when dst does not hold channels·height·width values.
func (n *Normalizer) ToCHW(dst []float32, m *Image) {
	size := m.Height * m.Width
	if len(dst) != n.channels*size {
		panic(fmt.Sprintf("vision: ToCHW: room for %d values, an image of %d×%d pixels has %d", len(dst), m.Width, m.Height, n.channels*size))
	}
	if n.channels == 1 {
		for i, v := range m.Gray().Pix {
			dst[i] = n.table[0][v]
		}
		return
	}
	r, g, b := dst[:size:size], dst[size:2*size:2*size], dst[2*size:]
	g, b = g[:len(r)], b[:len(r)]
	tr, tg, tb := &n.table[0], &n.table[1], &n.table[2]
	p := m.Pix
	switch m.Channels {
	case 1:
		p = p[:len(r)]
		for i, v := range p {
			r[i], g[i], b[i] = tr[v], tg[v], tb[v]
		}
	case 3:
		for len(r) >= 4 && len(g) >= 4 && len(b) >= 4 && len(p) >= 12 {
			r4, g4, b4, p4 := (*[4]float32)(r), (*[4]float32)(g), (*[4]float32)(b), (*[12]uint8)(p) // one bounds check for all
			r4[0], r4[1], r4[2], r4[3] = tr[p4[0]], tr[p4[3]], tr[p4[6]], tr[p4[9]]
			g4[0], g4[1], g4[2], g4[3] = tg[p4[1]], tg[p4[4]], tg[p4[7]], tg[p4[10]]
			b4[0], b4[1], b4[2], b4[3] = tb[p4[2]], tb[p4[5]], tb[p4[8]], tb[p4[11]]
			r, g, b, p = r[4:], g[4:], b[4:], p[12:]
		}
		for i := range r {
			r[i], g[i], b[i] = tr[p[3*i]], tg[p[3*i+1]], tb[p[3*i+2]]
		}
	default:
		for i := range r {
			if len(p) < 4 {
				break
			}
			r[i], g[i], b[i] = tr[p[0]], tg[p[1]], tb[p[2]]
			p = p[4:]
		}
	}
}

// ToCHW writes the image as three normalized planes [3, height, width] to dst, with the arithmetic RescaleFirst:
// each value is (float32(x/255) - mean) / std. It panics when dst does not hold 3·height·width values. For many
// images, make one [Normalizer].
func ToCHW(dst []float32, m *Image, mean, std [3]float32) {
	NewNormalizer(mean, std, 0, RescaleFirst).ToCHW(dst, m)
}

// FromCHW returns the image of planes [channels, height, width], such as a model's input or a reconstruction of it, with
// as many channels as [Normalizer.ToCHW] writes. [Normalizer.Level] turns each value into a sample. FromCHW panics when
// planes does not hold channels·height·width values.
func (n *Normalizer) FromCHW(planes []float32, height, width int) *Image {
	out := NewImage(height, width, n.channels)
	size := height * width
	if len(planes) != n.channels*size {
		panic(fmt.Sprintf("vision: FromCHW: %d values for an image of %d×%d pixels, expected %d", len(planes), width, height, n.channels*size))
	}
	for c := range n.channels {
		for i, v := range planes[c*size : (c+1)*size] {
			out.Pix[n.channels*i+c] = n.Level(c, v)
		}
	}
	return out
}

// FromCHW is the inverse of [ToCHW]. It returns the RGB image of three normalized planes [3, height, width], with
// samples rounded and limited to 0..255. NaN becomes 0. It panics when planes does not hold 3·height·width values.
func FromCHW(planes []float32, height, width int, mean, std [3]float32) *Image {
	return NewNormalizer(mean, std, 0, RescaleFirst).FromCHW(planes, height, width)
}
