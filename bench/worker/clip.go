package main

import (
	"fmt"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/models/clip"
)

// clipTower embeds images with CLIP B/32 or RN50, or texts that fill all places, with CLIP B/32.
func clipTower(e engine, tower string, batch int) (func(), error) {
	c := clip.BasePatch32()
	if tower == "rn50" {
		c = clip.ResNet50()
	}
	m := clip.New(c, rand.New(rand.NewPCG(1, 1)))
	tape := e.tape()
	out := make([]float32, batch*c.ProjectionDim)
	switch tower {
	case "image", "rn50":
		pixels := random(batch * 3 * c.Vision.ImageSize * c.Vision.ImageSize)
		return func() {
			m.EmbedImages(tape.Input(pixels, batch, 3, c.Vision.ImageSize, c.Vision.ImageSize)).Floats(out)
			tape.Reset()
		}, nil
	case "text":
		texts := make([][]int, batch)
		for i := range texts {
			for k := range c.Text.MaxPositionEmbeddings {
				texts[i] = append(texts[i], 1000+i*c.Text.MaxPositionEmbeddings+k)
			}
			texts[i][len(texts[i])-1] = c.Text.EOSTokenID
		}
		return func() {
			m.EmbedTexts(tape, texts).Floats(out)
			tape.Reset()
		}, nil
	}
	return nil, fmt.Errorf("unknown tower %q", tower)
}
