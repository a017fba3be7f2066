package model

import (
	"fmt"
	"math"
	"strconv"
)

// parseScore reads a number of a JSON file as the reference reads it: the digits as a whole number of 64 bits, rounded
// to float64, then multiplied or divided by a power of ten and rounded again (serde_json 1.0 without its feature
// float_roundtrip). For numbers of 16 digits and more the result can be the neighbor of the nearest float64; equal sums
// of scores may depend on it.
func parseScore(text string) (float64, error) {
	wrong := fmt.Errorf("expected a finite number, found %s", short(text))
	at := 0
	next := func() byte {
		if at < len(text) {
			return text[at]
		}
		return 0
	}
	digit := func() bool { return next() >= '0' && next() <= '9' }
	negative := next() == '-'
	if negative {
		at++
	}
	if !digit() {
		return 0, wrong
	}
	var digits uint64
	exponent := 0
	full := false // the digits fill 64 bits; further ones are dropped
	for part := range 2 {
		if part == 1 {
			if next() != '.' {
				break
			}
			at++
		}
		for ; digit(); at++ {
			d := uint64(text[at] - '0')
			full = full || digits > (math.MaxUint64-d)/10
			switch {
			case !full:
				digits = digits*10 + d
				exponent -= part
			case part == 0:
				exponent++
			}
		}
	}
	if c := next(); c == 'e' || c == 'E' {
		n, err := strconv.Atoi(text[at+1:])
		if n = min(max(n, -1<<30), 1<<30); err != nil && n == 0 {
			return 0, wrong
		}
		exponent += n
		at = len(text)
	}
	if at != len(text) {
		return 0, wrong
	}
	f := float64(digits)
	for ; exponent < -308 && f != 0; exponent += 308 {
		f /= 1e308
	}
	switch {
	case f == 0:
	case exponent > 308:
		return 0, wrong
	case exponent >= 0:
		f *= powerOfTen(exponent)
	default:
		f /= powerOfTen(-exponent)
	}
	if math.IsInf(f, 0) {
		return 0, wrong
	}
	if negative {
		f = -f
	}
	return f, nil
}

// powerOfTen returns the float64 nearest to 10 to the power of n, from 0 to 308.
func powerOfTen(n int) float64 {
	if n <= 22 {
		return math.Pow10(n) // exact
	}
	f, _ := strconv.ParseFloat("1e"+strconv.Itoa(n), 64)
	return f
}
