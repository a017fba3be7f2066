package portable

// ColumnSumsAdd is dst[j] += x[r·stride+j] for each row r in ascending order.
func ColumnSumsAdd(dst, x []float32, rows, stride int) {
	for r := range rows {
		row := x[r*stride:]
		for j := range dst {
			dst[j] += row[j]
		}
	}
}
