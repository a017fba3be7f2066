package config

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/fovea-ml/fovea/internal/strictjson"
)

// Size is a height and a width. In JSON it is one number, for a square, or a pair.
type Size struct{ Height, Width int }

// UnmarshalJSON reads one whole number, or a list of height and width.
func (s *Size) UnmarshalJSON(data []byte) error {
	var one int
	if strictjson.Decode(data, &one) == nil {
		*s = Size{one, one}
		return nil
	}
	var pair []int
	if strictjson.Decode(data, &pair) == nil && len(pair) == 2 {
		*s = Size{pair[0], pair[1]}
		return nil
	}
	err := strictjson.Decode(data, &one)
	if misfit := (*strictjson.Error)(nil); errors.As(err, &misfit) {
		misfit.Want = "a whole number, or a list of height and width"
	}
	return err
}

// MarshalJSON writes one number for a square.
func (s Size) MarshalJSON() ([]byte, error) {
	if s.Height == s.Width {
		return strconv.AppendInt(nil, int64(s.Height), 10), nil
	}
	text := strconv.AppendInt([]byte("["), int64(s.Height), 10)
	text = strconv.AppendInt(append(text, ','), int64(s.Width), 10)
	return append(text, ']'), nil
}

// Sides are the fields of a config.json that hold sizes of images and patches. They hold the defaults before they are
// read.
type Sides struct {
	Image Size `json:"image_size"`
	Patch Size `json:"patch_size"`
}

// Apply gives the sizes that were read to image and patch. Patches that are not square are an error.
func (s *Sides) Apply(image func(height, width int), patch *int) error {
	if s.Patch.Height != s.Patch.Width {
		return fmt.Errorf("patch_size: expected square patches, found %d×%d", s.Patch.Height, s.Patch.Width)
	}
	image(s.Image.Height, s.Image.Width)
	*patch = s.Patch.Height
	return nil
}
