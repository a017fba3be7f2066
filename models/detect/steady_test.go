package detect

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/growth"
)

// TestSteady detects in images of random sizes. Memory does not grow with their number.
func TestSteady(t *testing.T) {
	n := 2000
	if testing.Short() {
		n = 80
	}
	configs := map[string]Config{"fcos": tiny(FCOSResNet50()), "centernet": tinyCenterNets()["res18"]}
	for name, c := range configs {
		t.Run(name, func(t *testing.T) {
			m := New(c, 3, rand.New(rand.NewPCG(1, 2)))
			m.Options.MinScore = new(float32(0.001))
			rng := rand.New(rand.NewPCG(3, 4))
			growth.Check(t, n, func(i int) {
				img := noise(uint64(i), 1+rng.IntN(120), 1+rng.IntN(120), 3)
				if _, err := m.Detect(context.Background(), img); err != nil {
					t.Fatal(err)
				}
			})
			t.Logf("%d bytes are kept", m.runner.Bytes())
		})
	}
}
