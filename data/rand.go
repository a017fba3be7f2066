package data

import (
	"math"
	"math/rand/v2"
)

// Rand is a source of random numbers that its keys determine fully. Its stream is PCG-DXSM, which math/rand/v2 keeps
// unchanged. The methods are this package's own, so that a run gives the same batches under later versions of Go.
type Rand struct {
	pcg rand.PCG
}

// NewRand returns the generator keyed by seed and any further numbers, such as an epoch and the number of an item.
// Different keys give unrelated streams.
func NewRand(seed uint64, keys ...uint64) *Rand {
	a, b := mix(seed), mix(^seed)
	for i, k := range keys {
		a = mix(a ^ mix(k+uint64(i)+1))
		b = mix(b + mix(^k))
	}
	r := new(Rand)
	r.pcg.Seed(a, b)
	return r
}

// mix is the finalizer of SplitMix64: every bit of x changes every bit of the result.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Uint64 returns 64 random bits.
func (r *Rand) Uint64() uint64 { return r.pcg.Uint64() }

// Float64 returns a number in [0, 1), a multiple of 2⁻⁵³.
func (r *Rand) Float64() float64 { return float64(r.pcg.Uint64()>>11) / (1 << 53) }

// Uniform returns a number in [a, b).
func (r *Rand) Uniform(a, b float64) float64 { return a + float64((b-a)*r.Float64()) }

// IntN returns a number in [0, n), each equally likely. It panics when n is not positive.
func (r *Rand) IntN(n int) int {
	if n <= 0 {
		panic("data: Rand.IntN: n is not positive")
	}
	// Values in the incomplete last round are drawn again.
	m := uint64(n)
	limit := -m % m // 2⁶⁴ mod n
	for {
		if v := r.pcg.Uint64(); v >= limit {
			return int(v % m)
		}
	}
}

// Perm returns the numbers from 0 to n-1 in random order, each order equally likely.
func (r *Rand) Perm(n int) []int {
	p := make([]int, n)
	for i := range p {
		j := r.IntN(i + 1)
		p[i] = p[j]
		p[j] = i
	}
	return p
}

// Sign returns v or -v, each equally likely.
func (r *Rand) Sign(v float64) float64 {
	if r.pcg.Uint64()>>63 == 1 {
		return -v
	}
	return v
}

// Normal returns a normally distributed number of mean 0 and deviation 1, by Marsaglia's polar method.
func (r *Rand) Normal() float64 {
	for {
		u, v := r.Uniform(-1, 1), r.Uniform(-1, 1)
		if s := float64(u*u) + float64(v*v); s > 0 && s < 1 {
			return u * math.Sqrt(-2*math.Log(s)/s)
		}
	}
}

// Beta returns a number in [0, 1] of the symmetric Beta distribution with both parameters alpha, above 0.
func (r *Rand) Beta(alpha float64) float64 {
	x, y := r.logGamma(alpha), r.logGamma(alpha)
	return 1 / (1 + math.Exp(y-x))
}

// logGamma returns the logarithm of a number of the Gamma distribution with the given shape and scale 1 (Marsaglia and
// Tsang, 2000). The logarithm does not underflow at small shapes.
func (r *Rand) logGamma(shape float64) float64 {
	if shape < 1 {
		// A number of shape + 1 times a uniform one to the power of 1/shape.
		return r.logGamma(shape+1) + math.Log(1-r.Float64())/shape
	}
	d := shape - 1./3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.Normal()
		v := 1 + float64(c*x)
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-r.Float64()) < 0.5*x*x+d-float64(d*v)+float64(d*math.Log(v)) {
			return math.Log(d * v)
		}
	}
}
