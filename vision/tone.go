package vision

// The tone operations look each sample of a gray or RGB image up in a table of its channel. They give the bytes of Pillow's
// ImageOps of the same names.

// toneTable holds the new value of each sample.
type toneTable [256]uint8

// mapped returns m with every sample looked up in its channel's table. m has as many channels as there are tables.
func (m *Image) mapped(tables ...*toneTable) *Image {
	out := NewImage(m.Height, m.Width, m.Channels)
	for i := 0; i < len(m.Pix); i += m.Channels {
		for c, t := range tables {
			out.Pix[i+c] = t[m.Pix[i+c]]
		}
	}
	return out
}

// mappedAlike looks every sample up in one table.
func (m *Image) mappedAlike(f func(v int) int) *Image {
	t := tableOf(f)
	out := NewImage(m.Height, m.Width, m.Channels)
	for i, v := range m.Pix {
		out.Pix[i] = t[v]
	}
	return out
}

// tableOf returns the table of f, whose values are clipped to a sample's range.
func tableOf(f func(v int) int) *toneTable {
	t := new(toneTable)
	for v := range t {
		t[v] = uint8(min(max(f(v), 0), 255))
	}
	return t
}

// histograms counts how often each sample occurs, by channel.
func (m *Image) histograms() [][256]int {
	h := make([][256]int, m.Channels)
	for i := 0; i < len(m.Pix); i += m.Channels {
		for c := range h {
			h[c][m.Pix[i+c]]++
		}
	}
	return h
}

// perChannel looks the samples of each channel up in the table that its histogram gives.
func (m *Image) perChannel(table func(h *[256]int) *toneTable) *Image {
	h := m.histograms()
	tables := make([]*toneTable, len(h))
	for c := range h {
		tables[c] = table(&h[c])
	}
	return m.mapped(tables...)
}

func unchanged(v int) int { return v }

// autoContrast stretches each channel to the full range.
func autoContrast(m *Image) *Image {
	return m.perChannel(func(h *[256]int) *toneTable {
		lo, hi := 0, 255
		for lo < 255 && h[lo] == 0 {
			lo++
		}
		for hi > 0 && h[hi] == 0 {
			hi--
		}
		if hi <= lo {
			return tableOf(unchanged)
		}
		scale := 255 / float64(hi-lo)
		offset := float64(-float64(lo) * scale)
		return tableOf(func(v int) int { return int(float64(float64(v)*scale) + offset) })
	})
}

// equalize spreads the samples of each channel so that each range of values is as frequent as any other.
func equalize(m *Image) *Image {
	return m.perChannel(func(h *[256]int) *toneTable {
		total, last, kinds := 0, 0, 0
		for _, n := range h {
			if n > 0 {
				total, last, kinds = total+n, n, kinds+1
			}
		}
		step := (total - last) / 255
		if kinds <= 1 || step == 0 {
			return tableOf(unchanged)
		}
		seen := step / 2
		return tableOf(func(v int) int {
			at := seen / step
			seen += h[v]
			return at
		})
	})
}

// invert returns the negative.
func invert(m *Image) *Image { return m.mappedAlike(func(v int) int { return 255 - v }) }

// posterize keeps the highest bits of each sample, 0 to 8 of them.
func posterize(m *Image, bits int) *Image {
	mask := 0xff << (8 - bits) & 0xff
	return m.mappedAlike(func(v int) int { return v & mask })
}

// solarize inverts the samples at or above a threshold.
func solarize(m *Image, threshold int) *Image {
	return m.mappedAlike(func(v int) int {
		if v < threshold {
			return v
		}
		return 255 - v
	})
}

// solarizeAdd brightens the samples below a threshold.
func solarizeAdd(m *Image, add, threshold int) *Image {
	return m.mappedAlike(func(v int) int {
		if v < threshold {
			return v + add
		}
		return v
	})
}
