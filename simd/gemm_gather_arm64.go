package simd

var movers = [...]mover{
	Generic: {gather: gatherGeneric, lanes: 1},
	NEON:    {gatherNEON, lanesNEON, copyRowsNEON, copyOtherNEON, spreadOtherNEON, lanesNEON, fetchLines},
}
