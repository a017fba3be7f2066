package portable

// ColumnSumsAdd is dst[j] += Σ x[r·stride+j]. The rows of a column are added as the elements of a lane are; the
// sum is rounded to float32 before it joins dst.
func ColumnSumsAdd(dst, x []float32, rows, stride int) {
	for j := 0; j < len(dst); j += 16 {
		d := dst[j:min(len(dst), j+16)]
		var t columnTotals
		for at := 0; at < rows; at += blockRows {
			var block [16]float32
			for r := at; r < min(rows, at+blockRows); r++ {
				for i, v := range x[r*stride+j:][:len(d)] {
					block[i] += v
				}
			}
			t.add(&block)
		}
		t.addTo(d)
	}
}

// ColumnDotsAdd is dst[j] += Σ a[r·aStride+j]·b[r·bStride+j], by fused multiply-adds.
func ColumnDotsAdd(dst, a, b []float32, rows, aStride, bStride int) {
	for j := 0; j < len(dst); j += 16 {
		d := dst[j:min(len(dst), j+16)]
		var t columnTotals
		for at := 0; at < rows; at += blockRows {
			var block [16]float32
			for r := at; r < min(rows, at+blockRows); r++ {
				y := b[r*bStride+j:]
				for i, v := range a[r*aStride+j:][:len(d)] {
					block[i] = fma(v, y[i], block[i])
				}
			}
			t.add(&block)
		}
		t.addTo(d)
	}
}

// columnTotals are the sums of sixteen columns. Those of full cascades are added in float64.
type columnTotals struct {
	cascade
	whole [16]float64
}

func (t *columnTotals) add(block *[16]float32) {
	if t.cascade.add(block) {
		t.flush()
	}
}

func (t *columnTotals) flush() {
	for i, v := range t.lanes {
		t.whole[i] += float64(v)
	}
	t.cascade = cascade{}
}

// addTo adds the rounded totals to dst.
func (t *columnTotals) addTo(dst []float32) {
	t.flush()
	for i := range dst {
		dst[i] += float32(t.whole[i])
	}
}
