package losses

import "math"

// siou is 1 - inter/union + (distance + shape)/2.
func siou(p *boxPair) float64 {
	p.measure()
	wa, ha := p.size(0)
	wb, hb := p.size(1)
	u := p.union + float64(epsilon*(wa+wb)) + epsilon // FastestDet adds epsilon to heights too
	iou := p.inter / u
	if p.sloped {
		p.toOverlaps(-1/u, iou/u)
	}
	shape := p.shape(0, wa, wb) + p.shape(1, ha+epsilon, hb+epsilon)
	return 1 - iou + (p.aside()+shape)/2
}

// aside returns the distance of the centers, 2 - e^(γ·x²) - e^(γ·y²): x and y are in widths and heights of the box around both.
// γ is from -2, for centers side by side or one above the other, to -1 for those at 45 degrees.
func (p *boxPair) aside() float64 {
	a, b := &p.boxes[0], &p.boxes[1]
	var c, share, power [2]float64
	for side := range 2 {
		c[side] = (b[side] + b[2+side] - a[side] - a[2+side]) / 2
		if c[side] != 0 {
			share[side] = c[side] / p.around[side]
			share[side] *= share[side]
		}
	}
	square := float64(c[0]*c[0]) + float64(c[1]*c[1])
	if square == 0 {
		return 0
	}
	gamma := 2*math.Abs(float64(c[0]*c[1]))/square - 2
	total := 2.0
	for side := range 2 {
		power[side] = math.Exp(gamma * share[side])
		total -= power[side]
	}
	if !p.sloped {
		return total
	}
	toGamma := -(float64(share[0]*power[0]) + float64(share[1]*power[1])) / 2 // half, as in the loss
	for side := range 2 {
		x, y := c[side], math.Abs(c[1-side])
		if x == 0 { // where |x| has no slope, and x² none either
			continue
		}
		toShare := -gamma * power[side] / 2
		d := float64(2*toShare*x/p.around[side]/p.around[side]) + toGamma*2*y*math.Copysign(1, x)*(float64(y*y)-float64(x*x))/square/square
		for k := side; k < 4; k += 2 {
			p.slopes[0][k] -= d / 2
			p.slopes[1][k] += d / 2
		}
		to := [2]float64{}
		to[side] = -2 * toShare * share[side] / p.around[side]
		p.toAround(to[0], to[1])
	}
	return total
}

// shape returns (1 - e^-o)⁴, where o is the difference of two widths, or heights, over the larger one. It is 0 where neither is
// above 0.
func (p *boxPair) shape(side int, a, b float64) float64 {
	larger := max(a, b)
	if larger <= 0 {
		return 0
	}
	root := -math.Expm1(-math.Abs(a-b) / larger)
	square := root * root
	if p.sloped && a != b {
		d := 2 * square * root * (1 - root) // half of the derivative by o, as in the loss
		da, db := -d/b, float64(d*a/b/b)    // o is 1 - a/b
		if a > b {
			da, db = float64(d*b/a/a), -d/a
		}
		p.slopes[0][side] -= da
		p.slopes[0][2+side] += da
		p.slopes[1][side] -= db
		p.slopes[1][2+side] += db
	}
	return square * square
}
