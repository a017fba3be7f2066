package main

import (
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/examples/internal/console"
)

// publishedTable has the accuracies on ImageNet's 50,000 validation images that timm and the papers' authors publish
// (testdata/gen/imagenet.py).
//
//go:embed published.csv
var publishedTable string

// published is an accuracy that was published.
type published struct {
	Model  string          `json:"model"`
	Top1   console.Number  `json:"top1"`
	Top5   *console.Number `json:"top5"` // not all are known
	Size   int             `json:"size"` // of the images in pixels
	Source string          `json:"source"`
}

// findPublished returns the published accuracy of the first model in the table that has one of the names, or nil.
func findPublished(names []string) *published {
	rows, err := csv.NewReader(strings.NewReader(publishedTable)).ReadAll()
	if err != nil {
		panic(err) // the table is part of the program
	}
	for _, name := range names {
		for _, row := range rows[1:] {
			if !strings.EqualFold(path.Base(row[0]), path.Base(filepath.ToSlash(name))) {
				continue
			}
			share := func(s string) console.Number {
				x, _ := strconv.ParseFloat(s, 64)
				return console.Number(x / 100)
			}
			p := &published{Model: row[0], Top1: share(row[1]), Source: row[4]}
			if row[2] != "" {
				p.Top5 = new(share(row[2]))
			}
			p.Size, _ = strconv.Atoi(row[3])
			return p
		}
	}
	return nil
}

// modelNames returns the names that a model may have in the table: as the user calls it, as its folder in the hub's cache does, and
// as its config.json does, in the form of timm or of transformers.
func modelNames(name, dir string) []string {
	names := []string{name}
	if cached := cachedName(dir); cached != "" {
		names = append(names, cached)
	}
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return names
	}
	var config struct {
		Name         string `json:"_name_or_path"`
		Architecture string `json:"architecture"`
		Pretrained   struct {
			Tag string `json:"tag"`
		} `json:"pretrained_cfg"`
	}
	if json.Unmarshal(text, &config) != nil {
		return names
	}
	if config.Architecture != "" {
		names = append(names, config.Architecture+"."+config.Pretrained.Tag)
	}
	if config.Name != "" {
		names = append(names, config.Name)
	}
	return names
}

// cachedName returns the name, owner/name, of a model whose folder is a snapshot in the cache of the hub,
// models--owner--name/snapshots/REVISION, or "".
func cachedName(dir string) string {
	full, err := filepath.Abs(dir)
	if err != nil || filepath.Base(filepath.Dir(full)) != "snapshots" {
		return ""
	}
	name, ok := strings.CutPrefix(filepath.Base(filepath.Dir(filepath.Dir(full))), "models--")
	if !ok {
		return ""
	}
	return strings.ReplaceAll(name, "--", "/")
}
