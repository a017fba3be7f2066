package bert

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/growth"
)

// TestSteady embeds texts of random lengths. Memory does not grow with their number.
func TestSteady(t *testing.T) {
	n := 10000
	if testing.Short() {
		n = 400
	}
	m := askable(classifierOf(t), Features)
	words := strings.Repeat("a ", 500)
	rng := rand.New(rand.NewPCG(1, 2))
	growth.Check(t, n, func(int) {
		texts := make([]string, 1+rng.IntN(2))
		for i := range texts {
			texts[i] = words[:rng.IntN(80)]
		}
		if _, err := m.Embed(context.Background(), texts...); err != nil {
			t.Fatal(err)
		}
	})
	if held := m.runner.Bytes(); held > 8<<20 {
		t.Errorf("%d bytes are kept for the next texts", held)
	}
}
