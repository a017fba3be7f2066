package clip

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"math"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

// NaFlex is the image tower of SigLIP 2 for images of any size and proportion (arXiv 2502.14786, section 2.4.2): each
// keeps its own grid of patches, for which the positions are resized.
type NaFlex struct {
	Patch     *nn.Linear          // [width, patch·patch·channels], pixels before channels
	Positions *autograd.Parameter // [side·side, width], of a square grid
	Blocks    nn.Stack
	Norm      *nn.LayerNorm
	Head      *vit.AttentionPool
	patch     int
}

// NewNaFlex returns a tower of zeros. The configuration must be valid.
func NewNaFlex(c VisionConfig) *NaFlex {
	return &NaFlex{
		Patch:     nn.NewLinear(c.NumChannels*c.PatchSize*c.PatchSize, c.HiddenSize, true),
		Positions: autograd.NewParameter(c.NumPatches, c.HiddenSize),
		Blocks:    nn.NewStack(c.NumHiddenLayers, c.block()),
		Norm:      nn.NewLayerNorm(c.HiddenSize, c.LayerNormEps),
		Head:      vit.NewAttentionPool(c.block()),
		patch:     c.PatchSize,
	}
}

// Forward maps pixels of images of one size, [n, channels, height, width], to embeddings, [n, width]. Pixels that no
// whole patch covers are not seen.
func (f *NaFlex) Forward(pixels *autograd.Tensor) *autograd.Tensor {
	pixels = whole(pixels, f.patch)
	patches := autograd.PatchifyLast(pixels, f.patch)
	grids := make([][2]int, pixels.Dim(0))
	for i := range grids {
		grids[i] = [2]int{pixels.Dim(2) / f.patch, pixels.Dim(3) / f.patch}
	}
	return f.Patches(autograd.Reshape(patches, patches.Dim(0)*patches.Dim(1), patches.Dim(2)), grids)
}

// Patches maps the patches of images, [patches, patch·patch·channels], one image after the other, to embeddings, [n,
// width]. Image i has grids[i] rows and columns of patches, row after row. An image has the bits that it has alone. It
// panics with an autograd.ShapeError when the grids hold another number of patches.
func (f *NaFlex) Patches(patches *autograd.Tensor, grids [][2]int) *autograd.Tensor {
	t := patches.Tape()
	starts := []int{0}
	for _, g := range grids {
		starts = append(starts, starts[len(starts)-1]+g[0]*g[1])
	}
	x := t.Segment(func(patches *autograd.Tensor) *autograd.Tensor {
		return autograd.Add(f.Patch.Forward(patches), f.positions(t, grids))
	}, patches)
	x = f.Blocks.Forward(x, nn.AttentionInput{Starts: starts})
	return f.Head.Forward(f.Norm.Forward(x), starts)
}

// positions returns the positions of all patches. A grid is interpolated bilinearly, and smoothed where it shrinks
// (resize_positional_embeddings in modeling_siglip2.py).
func (f *NaFlex) positions(t *autograd.Tape, grids [][2]int) *autograd.Tensor {
	count, width := f.Positions.Shape()[0], f.Positions.Shape()[1]
	side := squareRoot(count)
	table := t.Use(f.Positions)
	var image *autograd.Tensor
	resized := map[[2]int]autograd.Operand{{side, side}: table}
	parts := make([]autograd.Operand, len(grids))
	for i, g := range grids {
		if resized[g] == nil {
			if image == nil {
				image = autograd.Permute(autograd.Reshape(table, 1, side, side, width), 0, 3, 1, 2)
			}
			y := autograd.Resize2d(image, g[0], g[1], autograd.ResizeOptions{Mode: autograd.Bilinear, Antialias: true})
			resized[g] = autograd.Reshape(autograd.Permute(y, 0, 2, 3, 1), g[0]*g[1], width)
		}
		parts[i] = resized[g]
	}
	return autograd.Concat(0, parts...)
}

// naflexPatches prepares images, each for a grid of its own proportions with at most MaxPatches patches. It returns the
// patches of all, and the rows and columns of each. first is the position of the first image, for errors.
func (m *Model) naflexPatches(images []image.Image, first int) (patches []float32, grids [][2]int, err error) {
	patch, channels := m.Config.Vision.PatchSize, m.Config.Vision.NumChannels
	grids = make([][2]int, len(images))
	each, errs := make([][]float32, len(images)), make([]error, len(images))
	if m.MaxPatches < 1 || m.MaxPatches > maxPatches {
		return nil, nil, fmt.Errorf("MaxPatches: expected 1 to %d, found %d", maxPatches, m.MaxPatches)
	}
	m.Workers.For(len(images), func(i int) {
		height, width := sizeOf(images[i])
		p := m.Preprocess
		p.Height, p.Width = naflexSize(height, width, patch, m.MaxPatches)
		pixels, height, width, err := p.Pixels(nil, nil, images[i])
		if one := (*vision.BatchError)(nil); errors.As(err, &one) {
			err = &vision.BatchError{Index: first + i, Err: one.Err}
		}
		if err == nil && len(pixels) != channels*height*width {
			err = fmt.Errorf("images are prepared with %d channels, the model takes %d", p.Channels(), channels)
		}
		if errs[i] = err; err != nil {
			return
		}
		grids[i] = [2]int{height / patch, width / patch}
		each[i] = patchesLast(pixels, channels, height, width, patch)
	})
	for i, err := range errs {
		if err != nil {
			return nil, nil, err
		}
		patches = append(patches, each[i]...)
	}
	return patches, grids, nil
}

// maxPatches bounds the patches of an image: time grows with their square.
const maxPatches = 1 << 16

// sizeOf returns the size of an image. That of nil, or of an image whose methods panic, is 1×1: preparing it says what
// is wrong.
func sizeOf(img image.Image) (height, width int) {
	defer func() {
		if recover() != nil {
			height, width = 1, 1
		}
	}()
	size := img.Bounds()
	return size.Dy(), size.Dx()
}

// patchesLast cuts pixels, [channels, height, width], into patches row after row, each [patch, patch, channels].
func patchesLast(pixels []float32, channels, height, width, patch int) []float32 {
	out := make([]float32, 0, len(pixels))
	for top := 0; top < height; top += patch {
		for left := 0; left < width; left += patch {
			for y := top; y < top+patch; y++ {
				for x := left; x < left+patch; x++ {
					for c := range channels {
						out = append(out, pixels[(c*height+y)*width+x])
					}
				}
			}
		}
	}
	return out
}

// naflexSize returns the size to which an image is resized: multiples of the patch with at most the given number of
// patches, nearly in the image's proportions (get_image_size_for_max_num_patches in image_processing_siglip2.py).
func naflexSize(height, width, patch, most int) (h, w int) {
	scaled := func(scale float64, size int) int {
		return max(patch, int(math.Ceil(float64(size)*scale/float64(patch)))*patch)
	}
	const step = 1e-5
	low, high := step/10, 100.0
	for high-low >= step {
		middle := (low + high) / 2
		if rows, columns := scaled(middle, height)/patch, scaled(middle, width)/patch; rows*columns <= most {
			low = middle
		} else {
			high = middle
		}
	}
	return scaled(low, height), scaled(low, width)
}

// naflexFile are the fields that a preprocessor_config.json has for NaFlex only.
type naflexFile struct {
	Type       string `json:"image_processor_type"`
	PatchSize  int    `json:"patch_size"`
	MaxPatches int    `json:"max_num_patches"`
}

// usualNaFlex is the preparation of images that transformers' Siglip2ImageProcessor has by default. Its size is set for
// each image.
func usualNaFlex(c VisionConfig) vision.Preprocess {
	p := vision.Half(c.PatchSize)
	p.Backend, p.Alpha = vision.Torchvision, vision.AlphaOnWhite
	return p
}

// readNaFlex reads how Siglip2ImageProcessor prepares images: from the image_processor inside processor_config.json, or
// from preprocessor_config.json. Without them it returns the usual preparation, which is assumed.
func readNaFlex(fsys fs.FS, c VisionConfig) (p vision.Preprocess, most int, assumed bool, err error) {
	name := "processor_config.json"
	data, err := smallfile.Read(fsys, name)
	var all struct {
		Images json.RawMessage `json:"image_processor"`
	}
	if err == nil {
		if err := strictjson.Decode(data, &all); err != nil {
			return p, 0, false, fmt.Errorf("%s: %w", name, err)
		}
	}
	if data = all.Images; data == nil && (err == nil || errors.Is(err, fs.ErrNotExist)) {
		name = vision.PreprocessorName
		data, err = smallfile.Read(fsys, name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return usualNaFlex(c), c.NumPatches, true, nil
	}
	if err != nil {
		return p, 0, false, err
	}
	file := naflexFile{PatchSize: 16, MaxPatches: 256}
	if err = strictjson.Decode(data, &file); err == nil {
		p, err = file.preprocess(data, c)
	}
	if err != nil {
		return p, 0, false, fmt.Errorf("%s: %w", name, err)
	}
	return p, file.MaxPatches, false, nil
}

// preprocess reads the settings that other image processors have too.
func (f naflexFile) preprocess(data []byte, c VisionConfig) (vision.Preprocess, error) {
	p := usualNaFlex(c)
	switch {
	case f.PatchSize != c.PatchSize:
		return p, fmt.Errorf("patch_size: expected %d as in config.json, found %d", c.PatchSize, f.PatchSize)
	case f.MaxPatches < 1 || f.MaxPatches > maxPatches:
		return p, fmt.Errorf("max_num_patches: expected 1 to %d, found %d", maxPatches, f.MaxPatches)
	}
	fields := map[string]json.RawMessage{"resample": json.RawMessage("2")} // bilinear
	if err := strictjson.Object(data, func(key string, value []byte) { fields[key] = value }); err != nil {
		return p, err
	}
	switch f.Type {
	case "Siglip2ImageProcessor", "Siglip2ImageProcessorFast":
		fields["image_processor_type"] = json.RawMessage(`"SiglipImageProcessor"`)
	case "Siglip2ImageProcessorPil":
		fields["image_processor_type"] = json.RawMessage(`"SiglipImageProcessorPil"`)
	default:
		return p, fmt.Errorf("image_processor_type: expected Siglip2ImageProcessor, found %q", f.Type)
	}
	fields["size"] = json.RawMessage(fmt.Sprintf(`{"height":%d,"width":%d}`, c.PatchSize, c.PatchSize))
	delete(fields, "patch_size")
	delete(fields, "max_num_patches")
	rest, err := json.Marshal(fields)
	if err != nil {
		return p, err
	}
	if err := p.UnmarshalJSON(rest); err != nil {
		return p, err
	}
	if p.Mode != vision.Stretch {
		return p, errors.New("do_resize: expected true, found false: images keep a size that no patches may fit")
	}
	return p, nil
}

// writeNaFlex describes the preparation of images to transformers.
func (m *Model) writeNaFlex() (modelfolder.Part, error) {
	data, err := json.Marshal(m.Preprocess)
	if err != nil {
		return modelfolder.Part{}, err
	}
	fields := map[string]any{}
	if err := json.Unmarshal(data, &fields); err != nil {
		return modelfolder.Part{}, err
	}
	delete(fields, "size")
	fields["image_processor_type"] = "Siglip2ImageProcessor"
	fields["patch_size"], fields["max_num_patches"] = m.Config.Vision.PatchSize, m.MaxPatches
	data, err = json.MarshalIndent(fields, "", "  ")
	return modelfolder.Part{Name: vision.PreprocessorName, Data: append(data, '\n')}, err
}
