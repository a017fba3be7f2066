package detect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/vision"
)

// preprocessDETR implements transformersFiles.
func preprocessDETR(f *modelfolder.Folder, c *Config) (p vision.Preprocess, assumed bool, err error) {
	return setPreprocess(f, c, detrPreprocess())
}

// preprocessYOLOS implements transformersFiles.
func preprocessYOLOS(f *modelfolder.Folder, c *Config) (p vision.Preprocess, assumed bool, err error) {
	return setPreprocess(f, c, yolosPreprocess())
}

// setPreprocess returns the preprocessing of a folder of a detector that predicts a set, and whether nothing states it: it is
// fallback then. For LoadOptions.ImageSize, which is the shorter side, all sides change in proportion.
func setPreprocess(f *modelfolder.Folder, c *Config, fallback vision.Preprocess) (p vision.Preprocess, assumed bool, err error) {
	p = fallback
	stated, err := vision.LoadPreprocess(f.FS)
	assumed = errors.Is(err, fs.ErrNotExist)
	switch {
	case err == nil:
		p = stated
	case !assumed:
		return p, false, err
	}
	short := shorter(p)
	size := short
	if err := f.Resize(&size, c); err != nil {
		return p, false, err
	}
	if size != short {
		if short == 0 {
			return p, false, errors.New("LoadOptions.ImageSize: images are not resized: expected 0")
		}
		p = forSize(p, size)
	}
	if most := max(p.Width, p.Height, p.MaxLong); most > maxSize {
		return p, false, fmt.Errorf("images are prepared with sides of up to %d pixels, expected at most %d", most, maxSize)
	}
	if p.Mode == vision.LongSide || p.CropWidth != 0 {
		return p, false, fmt.Errorf("%s: expected a size without a crop, found %v and a crop to %d×%d", vision.PreprocessorName, p.Mode, p.CropWidth, p.CropHeight)
	}
	return p, assumed, p.Validate()
}

// processor returns the file preprocessor_config.json of a detector of transformers, whose class also says how
// predictions become detections there.
func processor(p vision.Preprocess, class string) ([]modelfolder.Part, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	fields := map[string]any{}
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	fields["image_processor_type"], fields["format"] = class, "coco_detection"
	delete(fields, "do_center_crop")
	data, err = json.MarshalIndent(fields, "", "  ")
	return []modelfolder.Part{{Name: vision.PreprocessorName, Data: append(data, '\n')}}, err
}
