package simd

var movers = [...]mover{
	Generic: {gather: gatherGeneric, lanes: 1},
	AVX2:    {gather256, lanes256, copyRows256, copyOther256, spreadOther256, lanes256, fetchLines},
	AVX512:  {gather512, lanes512, copyRows256, copyOther256, spreadOther256, lanes256, fetchLines},
}
