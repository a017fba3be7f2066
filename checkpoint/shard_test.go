package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestDivide divides tensors of so many bytes as huggingface_hub does.
func TestDivide(t *testing.T) {
	var cases, want []string
	for _, c := range []struct {
		limit int64
		sizes []int
		want  string
	}{
		{100, []int{10, 20, 30}, "0 1 2"},
		{60, []int{10, 20, 30}, "0 1 2"},
		{59, []int{10, 20, 30}, "0 1|2"},
		{25, []int{10, 20, 30}, "0|2|1"},
		{25, []int{10, 30, 15, 20}, "1|0 2|3"},
		{1, []int{5, 5}, "0|1"},
		{10, []int{5, 0, 5, 0, 1}, "0 1 2 3|4"},
		{10, []int{50}, "0"},
	} {
		var list []item
		for i, n := range c.sizes {
			list = append(list, item{&Entry{Name: fmt.Sprint(i), Shape: []int{n}, DType: U8}, U8, n})
		}
		var got []string
		for _, shard := range divide(list, c.limit) {
			var names []string
			for _, it := range shard {
				names = append(names, it.Name)
			}
			got = append(got, strings.Join(names, " "))
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%d %d: found %q, expected %q", c.limit, c.sizes, got, c.want)
		}
		cases = append(cases, fmt.Sprint(c.limit, ":", strings.Trim(strings.ReplaceAll(fmt.Sprint(c.sizes), " ", ","), "[]")))
		want = append(want, c.want)
	}
	if got := python(t, append([]string{"split"}, cases...)...); got != strings.Join(want, "\n") {
		t.Errorf("huggingface_hub divides %q into\n%s", cases, got)
	}
}

// sixPack is six tensors of 400 bytes whose values all are v.
func sixPack(v int) []Entry {
	var list []Entry
	for i := range 6 {
		x := make([]float32, 100)
		for j := range x {
			x[j] = float32(v)
		}
		list = append(list, Entry{Name: fmt.Sprintf("layer.%d.weight", i), Shape: []int{10, 10}, Floats: x})
	}
	return list
}

// packValue opens the folder and returns the one value that all its tensors have.
func packValue(dir string) (int, error) {
	f, err := OpenFolder(os.DirFS(dir), OpenOptions{})
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if f.Len() != 6 {
		return 0, fmt.Errorf("found %d tensors", f.Len())
	}
	v := make([]float32, 100)
	value := -1
	for x := range f.Tensors() {
		if err := x.Floats(v); err != nil {
			return 0, err
		}
		if value < 0 {
			value = int(v[0])
		}
		for _, w := range v {
			if int(w) != value {
				return 0, fmt.Errorf("%s holds %v, another tensor %d", x.Name, w, value)
			}
		}
	}
	return value, nil
}

// folderNames returns the names in a folder.
func folderNames(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// shardNames are the files of a checkpoint in n shards.
func shardNames(n int) []string {
	if n == 1 {
		return []string{SafetensorsName}
	}
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, n))
	}
	return append(names, IndexName)
}

// sizes are the ShardSizes that give so many shards of a sixPack.
var shardSizes = map[int]int64{1: 2400, 2: 1200, 3: 800, 6: 1}

// TestShards replaces checkpoints of each number of shards by each other, itself too, in a folder that holds
// more than the checkpoint.
func TestShards(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, SafetensorsName)
	others := []string{"adapter-00001-of-00002.safetensors", "config.json", "model-1-of-2.safetensors", "model.fp16-00001-of-00002.safetensors"}
	for _, name := range others {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	// A shard that no index knows, as a crash leaves it.
	os.WriteFile(filepath.Join(dir, "model-00002-of-00003.1234abcd.safetensors"), nil, 0o666)
	os.WriteFile(filepath.Join(dir, ".model-00002-of-00003.1234abcd.safetensors.tmp"), nil, 0o666)
	os.WriteFile(filepath.Join(dir, ".model-00002-of-00003.1234abcd.safetensors.5678abcd.tmp"), nil, 0o666)
	value := 0
	for _, n := range []int{2, 2, 1, 3, 3, 3, 6, 2, 1, 1, 6} {
		value++
		if err := Write(path, sixPack(value), WriteOptions{ShardSize: shardSizes[n], Metadata: map[string]string{"n": fmt.Sprint(n)}}); err != nil {
			t.Fatal(err)
		}
		if v, err := packValue(dir); err != nil || v != value {
			t.Errorf("in %d: found %d, expected %d, %v", n, v, value, err)
		}
		want := append(shardNames(n), others...)
		slices.Sort(want)
		if got := folderNames(t, dir); !slices.Equal(got, want) {
			t.Errorf("in %d: the folder holds %q, expected %q", n, got, want)
		}
		for _, name := range shardNames(n) {
			f := mustOpen(t, filepath.Join(dir, name))
			if m, _ := f.Metadata("n"); m != fmt.Sprint(n) {
				t.Errorf("%s: metadata %q", name, m)
			}
		}
		if n == 1 {
			continue
		}
		data, _ := os.ReadFile(filepath.Join(dir, IndexName))
		var index struct {
			Metadata  map[string]int
			WeightMap map[string]string `json:"weight_map"`
		}
		if err := json.Unmarshal(data, &index); err != nil || index.Metadata["total_size"] != 2400 || len(index.WeightMap) != 6 {
			t.Errorf("index %s, %v", data, err)
		}
	}
	whole := filepath.Join(t.TempDir(), "whole.safetensors")
	if err := Write(whole, sixPack(value), WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if out := python(t, "same", whole, filepath.Join(dir, IndexName)); out != "equal" {
		t.Error(out)
	}
}

// TestShardsOntoThemselves changes the type of a checkpoint in its own folder, where its old shards are mapped.
func TestShardsOntoThemselves(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, SafetensorsName)
	for _, n := range []int{2, 1, 3} {
		if err := Write(path, sixPack(7), WriteOptions{ShardSize: shardSizes[n]}); err != nil {
			t.Fatal(err)
		}
		f, err := OpenFolder(os.DirFS(dir), OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var list []Entry
		for x := range f.Tensors() {
			e := x.Entry()
			e.DType = BF16
			list = append(list, e)
		}
		if err := Write(path, list, WriteOptions{ShardSize: shardSizes[n] / 2}); err != nil {
			t.Fatal(err)
		}
		if v, err := packValue(dir); err != nil || v != 7 {
			t.Errorf("in %d: found %d, %v", n, v, err)
		}
		if got := folderNames(t, dir); !slices.Equal(got, shardNames(n)) {
			t.Errorf("in %d: the folder holds %q", n, got)
		}
	}
}

// TestShardsStopped fails at each piece of each kind of save: the old checkpoint is whole and alone.
func TestShardsStopped(t *testing.T) {
	stop := errors.New("stop")
	for _, from := range []int{1, 2, 3} {
		for _, to := range []int{1, 2, 3} {
			for _, at := range []int{0, 2, 5} {
				dir := t.TempDir()
				path := filepath.Join(dir, SafetensorsName)
				if err := Write(path, sixPack(1), WriteOptions{ShardSize: shardSizes[from]}); err != nil {
					t.Fatal(err)
				}
				calls := 0
				err := Write(path, sixPack(2), WriteOptions{ShardSize: shardSizes[to], Progress: func(int64, int64) error {
					if calls++; calls > at {
						return stop
					}
					return nil
				}})
				if !errors.Is(err, stop) || !strings.Contains(err.Error(), path) {
					t.Fatalf("found %v", err)
				}
				if v, err := packValue(dir); err != nil || v != 1 {
					t.Errorf("from %d to %d, stopped at %d: found %d, %v", from, to, at, v, err)
				}
				if got := folderNames(t, dir); !slices.Equal(got, shardNames(from)) {
					t.Errorf("from %d to %d, stopped at %d: the folder holds %q", from, to, at, got)
				}
			}
		}
	}
	if err := Write(filepath.Join(t.TempDir(), "model.bin"), sixPack(1), WriteOptions{ShardSize: 100}); err == nil || !strings.Contains(err.Error(), `ends in ".safetensors"`) {
		t.Errorf("found %v", err)
	}
}

// TestShardsKilled kills a program that saves without pause: its folder holds the last finished checkpoint or the one
// after it.
func TestShardsKilled(t *testing.T) {
	const key = "CHECKPOINT_TEST_SAVE"
	if dir := os.Getenv(key); dir != "" {
		for value := 2; ; value++ {
			counts := []int{2, 2, 3, 1, 3, 6, 6, 2, 1}
			if err := Write(filepath.Join(dir, SafetensorsName), sixPack(value), WriteOptions{ShardSize: shardSizes[counts[value%len(counts)]]}); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			fmt.Println("saved", value)
		}
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "js" {
		t.Skip("kills another process")
	}
	rounds := 20
	if testing.Short() {
		rounds = 4
	}
	saves := map[int]bool{}
	for range rounds {
		dir := t.TempDir()
		if err := Write(filepath.Join(dir, SafetensorsName), sixPack(1), WriteOptions{ShardSize: 1}); err != nil {
			t.Fatal(err)
		}
		c := exec.Command(os.Args[0], "-test.run=^TestShardsKilled$")
		c.Env = append(os.Environ(), key+"="+dir)
		var out strings.Builder
		c.Stdout = &out
		if err := c.Start(); err != nil {
			t.Skipf("cannot start this program again: %v", err) // under an emulator
		}
		time.Sleep(time.Duration(20+rand.IntN(60)) * time.Millisecond)
		c.Process.Kill()
		c.Wait()
		saved := 1
		for _, line := range strings.Split(out.String(), "\n") {
			if n, _ := fmt.Sscanf(line, "saved %d", &saved); n == 0 && line != "" {
				t.Fatal(line)
			}
		}
		v, err := packValue(dir)
		if err != nil || v != saved && v != saved+1 {
			t.Errorf("after %d was saved: found %d, %v; the folder holds %q", saved, v, err, folderNames(t, dir))
		}
		saves[saved] = true
	}
	t.Logf("killed after %d different numbers of saves", len(saves))
}
