package main

import (
	"context"
	"fmt"
	"image"

	"github.com/fovea-ml/fovea/examples/internal/photo"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/draw"
)

// seen returns an image as the model sees it: resized and cropped.
func seen(m *vit.Model, img image.Image) (*vision.Image, error) {
	rgb, ok := img.(*vision.Image)
	if !ok {
		return nil, fmt.Errorf("expected a decoded image, found %T", img)
	}
	return m.Preprocess.Geometry(rgb, m.Workers)
}

// attend is the step that lays attention over each image, for -attention.
func attend(m *vit.Model, s settings, out *photo.Outputs) step {
	return func(ctx context.Context, images []image.Image, results []*result) error {
		var maps []vit.Attention
		var err error
		if s.Rollout {
			maps, err = m.Rollout(ctx, vit.RolloutOptions{}, images...)
		} else {
			var layers [][]vit.Attention
			layers, err = m.Attention(ctx, vit.AttentionOptions{Layers: []int{s.Layer}}, images...)
			for _, l := range layers {
				maps = append(maps, l[0])
			}
		}
		if err != nil {
			return err
		}
		overlays := make([]*vision.Image, len(maps))
		for i, a := range maps {
			shown, err := seen(m, images[i])
			if err == nil {
				overlays[i], err = draw.Heatmap(shown, a.Map(s.Head), a.Rows, a.Columns, draw.HeatmapOptions{})
			}
			if err != nil {
				return err
			}
		}
		for i, img := range overlays {
			if err := vision.SavePNG(out.Path(results[i].name), img); err != nil {
				return fatal{fmt.Errorf("-attention: %w", err)}
			}
		}
		return nil
	}
}

// maxTokens bounds the values of tokens that -pca compares: 512 MiB, such as 890 images of 224 pixels in a ViT-B/16.
const maxTokens = 1 << 27

// components collects the tokens of patches for -pca.
type components struct {
	names    []string
	features []vit.Features
	images   []*vision.Image // as the model sees them
	values   int             // in the features
}

// add is the step that collects.
func (c *components) add(m *vit.Model, layer int) step {
	return func(ctx context.Context, images []image.Image, results []*result) error {
		features, err := m.Features(ctx, vit.FeatureOptions{Layers: []int{layer}}, images...)
		if err != nil {
			return err
		}
		shown := make([]*vision.Image, len(images))
		for i, img := range images {
			if shown[i], err = seen(m, img); err != nil {
				return err
			}
		}
		for i, f := range features {
			if c.values += len(f[0].Patches); c.values > maxTokens {
				return fatal{fmt.Errorf("-pca: the tokens of %d images take more than 512 MiB: expected fewer images", len(c.names)+1)}
			}
			c.names, c.images, c.features = append(c.names, results[i].name), append(c.images, shown[i]), append(c.features, f[0])
		}
		return nil
	}
}

// save writes each image beside the principal components of its patches.
func (c *components) save(m *vit.Model, out *photo.Outputs) error {
	if len(c.names) == 0 {
		return nil
	}
	colors, err := vit.PCA(vit.PCAOptions{Workers: m.Workers}, c.features...)
	if err != nil {
		return err
	}
	for i, img := range c.images {
		large, err := vision.Resize(colors[i], img.Height, img.Width, vision.Nearest)
		if err != nil {
			return err
		}
		both, err := draw.Grid([]*vision.Image{img, large}, draw.GridOptions{Columns: 2, Gap: 4})
		if err != nil {
			return err
		}
		if err := vision.SavePNG(out.Path(c.names[i]), both); err != nil {
			return err
		}
	}
	return nil
}
