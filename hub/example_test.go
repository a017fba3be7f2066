package hub_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fovea-ml/fovea/hub"
	"github.com/fovea-ml/fovea/internal/test/hubtest"
)

// newHub starts a hub on this machine, in the place of huggingface.co, and returns it with an empty cache. Its one
// model comes in several forms.
func newHub() (h *hubtest.Hub, cache string, end func()) {
	h = hubtest.New()
	h.Add("owner/vit-tiny", map[string][]byte{
		"README.md":                []byte("# A small model"),
		"config.json":              []byte(`{"model_type": "vit"}`),
		"preprocessor_config.json": []byte(`{"size": 224}`),
		"model.safetensors":        make([]byte, 200_000),
		"pytorch_model.bin":        make([]byte, 200_000),
		"tf_model.h5":              make([]byte, 200_000),
	})
	cache, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	return h, cache, func() {
		h.Close()
		os.RemoveAll(cache)
	}
}

// A program fetches the folder of a model once, and opens it like any other folder. Usually Get needs only the name of
// the model; here the options also name the hub and the cache.
func ExampleGet() {
	h, cache, end := newHub()
	defer end()

	ctx := context.Background()
	var last hub.Progress
	dir, err := hub.Get(ctx, "owner/vit-tiny", hub.GetOptions{
		Endpoint:   h.URL,
		Anonymous:  true,
		Cache:      cache,
		OnProgress: func(p hub.Progress) { last = p },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("fetched %d of %d bytes\n", last.Done, last.Total)
	fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			fmt.Println(name)
		}
		return err
	})

	// From now on the hub is not needed.
	again, err := hub.Get(ctx, "owner/vit-tiny", hub.GetOptions{Offline: true, Cache: cache})
	fmt.Println(again == dir, err)
	// Output:
	// fetched 200034 of 200034 bytes
	// config.json
	// model.safetensors
	// preprocessor_config.json
	// true <nil>
}

// A user gives a folder or the name of a model on the hub.
func ExampleOpen() {
	h, cache, end := newHub()
	defer end()
	ctx := context.Background()
	options := hub.GetOptions{Endpoint: h.URL, Anonymous: true, Cache: cache}

	for _, model := range []string{".", "owner/vit-tiny", "vit-tiny"} {
		dir, err := hub.Open(ctx, model, options)
		if err != nil {
			fmt.Println(err)
			continue
		}
		_, err = os.Stat(filepath.Join(dir, "config.json"))
		fmt.Printf("%s has a config.json: %v\n", model, err == nil)
	}
	_, err := hub.Open(ctx, "owner/vit-huge", options)
	fmt.Println(errors.Is(err, hub.ErrNoModel))
	// Output:
	// . has a config.json: false
	// owner/vit-tiny has a config.json: true
	// hub: there is no folder vit-tiny: expected a folder with config.json and weights, or owner/name of a model on the hub (vit-tiny@main is the hub's model of that name)
	// true
}
