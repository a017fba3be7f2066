package detect

import (
	"io/fs"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// The values of Config.ModelType.
const fastestType = "fastestdet"

// Config describes a detector in the fields of a config.json. A Config is made by a preset or by [ReadConfig] and then
// changed: its zero value is not valid.
type Config struct {
	ModelType string `json:"model_type"`
	// ImageSize is the side in pixels of the squares that images are stretched to.
	ImageSize int `json:"image_size"`
	models.Classes
}

// Fastest is FastestDet: 0.24 M parameters with 80 classes, for images of 352 pixels.
func Fastest() Config { return Config{ModelType: fastestType, ImageSize: 352} }

// fastestStride is how many times smaller the grid of FastestDet is than the image, and fastestDeepest that of the deepest
// features, which divides the size of images.
const fastestStride, fastestDeepest = 16, 32

// maxSize bounds the size of images.
const maxSize = 1 << 13

// Validate returns an error that names the first field whose value no detector can have.
func (c Config) Validate() error {
	var v config.Checks
	v.OneOf("model_type", c.ModelType, fastestType)
	if c.ImageSize < 1 || c.ImageSize > maxSize || c.ImageSize%fastestDeepest != 0 {
		v.Fail("image_size", "expected a multiple of %d up to %d, found %d", fastestDeepest, maxSize, c.ImageSize)
	}
	return v.Err()
}

// ReadConfig reads and checks a config.json. The error names the file and the field.
func ReadConfig(fsys fs.FS, name string) (Config, error) {
	return modelfolder.ReadConfig(fsys, name, family, Fastest())
}

// configFields are the fields of a config.json, which are Fovea's own.
var configFields = strictjson.Fields{
	{Name: "model_type"},
	{Name: "image_size"},
	{Name: "id2label"},
	{Name: "label2id"},
	{Name: "problem_type", Use: strictjson.Harmless, Reason: "detectors have one"},
}
