package index

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fovea-ml/fovea/checkpoint"
)

// filled makes an index of two segments in a folder, the first with deleted rows.
func filled(t *testing.T, o Options) (dir string) {
	t.Helper()
	dir = t.TempDir()
	x, err := Create(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, first := range []int64{0, 10} {
		var ids []int64
		var vectors [][]float32
		for i := range int64(5) {
			ids, vectors = append(ids, first+i), append(vectors, make([]float32, o.Dim))
			vectors[i][0] = float32(first + i)
		}
		if err := x.Add(ids, vectors); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := x.Delete(1, 3); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// One writer at a time; readers beside it keep what they opened.
func TestWriters(t *testing.T) {
	dir := filled(t, Options{Dim: 3, Metric: InnerProduct})
	x, err := Open(dir, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if x.folder.held != nil {
		if _, err := Open(dir, OpenOptions{}); !errors.Is(err, ErrLocked) {
			t.Errorf("found %v", err)
		}
		if _, err := Create(dir, Options{Dim: 3}); !errors.Is(err, ErrLocked) {
			t.Errorf("found %v", err)
		}
	}
	reader, err := Open(dir, OpenOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Compact(); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Delete(12); err != nil {
		t.Fatal(err)
	}
	hits, err := reader.Search(ctx, []float32{1, 0, 0}, 3, SearchOptions{})
	if err != nil || len(hits) != 3 || hits[2] != (Hit{12, 12}) {
		t.Error(hits, err)
	}
	if _, err := reader.Delete(11); !errors.Is(err, ErrReadOnly) {
		t.Error(err)
	}
	if err := errors.Join(x.Close(), x.Close()); err != nil {
		t.Error(err)
	}
	if _, err := Create(dir, Options{Dim: 3}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("found %v", err)
	}
	if _, err := Open(t.TempDir(), OpenOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("found %v", err)
	}
}

// Folders that contradict themselves give one error, which names the file.
func TestHostileFolders(t *testing.T) {
	replace := func(old, new string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, manifestName)
			data, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(data), old) {
				t.Fatalf("%s: %v", data, err)
			}
			if err := os.WriteFile(path, []byte(strings.Replace(string(data), old, new, 1)), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	const first, second, deleted = "rows-00000000.safetensors", "rows-00000001.safetensors", "deleted-00000002.safetensors"
	write := func(name string, entries ...checkpoint.Entry) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := checkpoint.Write(filepath.Join(dir, name), entries, checkpoint.WriteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	ids := func(values ...int64) checkpoint.Entry {
		return checkpoint.Entry{Name: "ids", Shape: []int{len(values)}, Ints: values}
	}
	vectors := checkpoint.Entry{Name: "vectors", Shape: []int{5, 3}, Ints: make([]int64, 15), DType: checkpoint.I8}
	scales := func(values ...float32) checkpoint.Entry {
		return checkpoint.Entry{Name: "scales", Shape: []int{len(values)}, Floats: values}
	}
	rows := func(values ...int64) checkpoint.Entry {
		return checkpoint.Entry{Name: "rows", Shape: []int{len(values)}, Ints: values, DType: checkpoint.U32}
	}
	ones := scales(1, 1, 1, 1, 1)
	for name, c := range map[string]struct {
		damage func(t *testing.T, dir string)
		want   string
	}{
		"no JSON":        {replace("{", "x"), "index.json: invalid JSON: expected a value at byte 0, found 'x'"},
		"two values":     {replace("}\n ]\n}", "}\n ]\n}{}"), "index.json: invalid JSON: expected the end of the file"},
		"unknown field":  {replace(`"version"`, `"x": 1, "version"`), `index.json: field "x" is unknown`},
		"other spelling": {replace(`"version"`, `"Version"`), `index.json: field "Version" is unknown`},
		"segment field":  {replace(`"rows"`, `"x": 1, "rows"`), `index.json: segment 0: field "x" is unknown`},
		"null segment":   {replace(`"segments": [`, `"segments": [null,`), "index.json: "},
		"null dim":       {replace(`"dim": 3`, `"dim": null`), "index.json: dim: expected a whole number, found null"},
		"dim 3.0":        {replace(`"dim": 3`, `"dim": 3.0`), "index.json: dim: expected a whole number, found number 3.0"},
		"version":        {replace(`"version": 1`, `"version": 2`), "index.json: expected version 1, found 2"},
		"type":           {replace(`"int8"`, `"int4"`), `index.json: field type: expected one of ["float32" "float16" "int8"], found "int4"`},
		"metric":         {replace(`"cosine"`, `"l2"`), `index.json: field metric: expected one of ["cosine" "inner product"], found "l2"`},
		"dim":            {replace(`"dim": 3`, `"dim": 70000`), "index.json: expected a dim of 1 to 65536, found 70000"},
		"other dim":      {replace(`"dim": 3`, `"dim": 4`), `tensor "vectors": expected shape [5 4], found [5 3]`},
		"other type":     {replace(`"int8"`, `"float32"`), first + ": expected 2 tensors, found 3"},
		"rows":           {replace(`"rows": 5`, `"rows": 6`), first + `: tensor "ids": expected shape [6], found [5]`},
		"no rows":        {replace(`"rows": 5`, `"rows": -5`), "index.json: segment 0: expected 1 to 2147483647 rows, found -5"},
		"path":           {replace(first, "../../etc/passwd"), `index.json: segment 0: expected the name of a file such as "rows-00000001.safetensors"`},
		"short name":     {replace(first, "rows-0.safetensors"), "index.json: segment 0: expected the name of a file"},
		"number":         {replace(`"next": 3`, `"next": 2`), "with a number below 2, found \"deleted-00000002"},
		"next below 0":   {replace(`"next": 3`, `"next": -3`), "index.json: field next: expected 0 to"},
		"next overflows": {replace(`"next": 3`, `"next": 9223372036854775807`), "index.json: "},
		"twice":          {replace(second, first), "index.json: segment 1: " + first + " is listed twice"},
		"missing":        {replace(first, "rows-00000002.safetensors"), "rows-00000002.safetensors: no such file"},
		"ids descend":    {write(first, ids(0, 1, 3, 2, 4), vectors, ones), first + `: tensor "ids": expected ascending ids, found 2 after 3`},
		"ids repeat":     {write(first, ids(0, 1, 1, 2, 4), vectors, ones), first + `: tensor "ids": expected ascending ids, found 1 after 1`},
		"id in both":     {write(first, ids(0, 1, 2, 4, 12), vectors, ones), "id 12 is in two segments"},
		"ids of floats":  {write(first, rows(1), vectors, ones), first + `: tensor "ids" is missing`},
		"scale":          {write(first, ids(0, 1, 2, 3, 4), vectors, scales(1, 1, 1, 1, -1)), first + `: tensor "scales": expected numbers of at least 0, found -1 at 4`},
		"few scales":     {write(first, ids(0, 1, 2, 3, 4), vectors, scales(1)), first + `: tensor "scales": expected shape [5], found [1]`},
		"fewer vectors":  {write(first, ids(0, 1, 2, 3), vectors, ones), first + `: tensor "ids": expected shape [5], found [4]`},
		"cut off":        {func(t *testing.T, dir string) { cut(t, filepath.Join(dir, second)) }, second + ":"},
		"deleted order":  {write(deleted, rows(3, 1)), deleted + ": expected ascending rows below 5, found 1 at 1"},
		"deleted twice":  {write(deleted, rows(1, 1)), deleted + ": expected ascending rows below 5, found 1 at 1"},
		"deleted beyond": {write(deleted, rows(1, 5)), deleted + ": expected ascending rows below 5, found 5 at 1"},
		"deleted many":   {write(deleted, rows(0, 1, 2, 3, 4, 5)), deleted + `: expected one tensor "rows"`},
		"deleted ids":    {write(deleted, ids(1)), deleted + `: expected one tensor "rows"`},
		"manifest folder": {func(t *testing.T, dir string) {
			os.Remove(filepath.Join(dir, manifestName))
			os.Mkdir(filepath.Join(dir, manifestName), 0o777)
		}, "index.json"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filled(t, Options{Dim: 3, Type: Int8})
			c.damage(t, dir)
			_, err := Open(dir, OpenOptions{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("found error\n%v, want\n%s", err, c.want)
			}
			if _, again := Open(dir, OpenOptions{}); errors.Is(again, ErrLocked) {
				t.Error("the lock is still held")
			}
		})
	}
}

func cut(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-1); err != nil {
		t.Fatal(err)
	}
}

// A manifest without a list of segments is refused: to open it as an empty index would remove the files of the rows.
func TestMissingSegments(t *testing.T) {
	dir := filled(t, Options{Dim: 3})
	path := filepath.Join(dir, manifestName)
	files, err := filepath.Glob(filepath.Join(dir, rowsPrefix+"*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, list := range []string{"", `, "segments": null`} {
		data := fmt.Sprintf(`{"version": %d, "dim": 3, "type": "float32", "metric": "cosine", "next": 9%s}`, manifestVersion, list)
		if err := os.WriteFile(path, []byte(data), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, OpenOptions{}); err == nil || !strings.Contains(err.Error(), "field segments") {
			t.Errorf("%q: error %v", list, err)
		}
		for _, f := range files {
			if _, err := os.Stat(f); err != nil {
				t.Errorf("%q: %v", list, err)
			}
		}
	}
}

// Create leaves the vectors of an index that lost its manifest alone.
func TestCreateOverVectors(t *testing.T) {
	dir := filled(t, Options{Dim: 3})
	path := filepath.Join(dir, manifestName)
	manifest, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = Create(dir, Options{Dim: 3})
	if want := "rows-00000000.safetensors: file already exists, without index.json: the folder holds a damaged index"; !errors.Is(err, fs.ErrExist) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("found %v", err)
	}
	if err := os.WriteFile(path, manifest, 0o666); err != nil {
		t.Fatal(err)
	}
	x, err := Open(dir, OpenOptions{})
	if err != nil || x.Len() != 8 {
		t.Fatal(x, err)
	}
	x.Close()
}

// An index whose numbers of files are used up refuses to change, and can be opened again.
func TestManyFiles(t *testing.T) {
	dir := filled(t, Options{Dim: 3})
	path := filepath.Join(dir, manifestName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data = []byte(strings.Replace(string(data), `"next": 3`, fmt.Sprintf(`"next": %d`, maxFiles-4), 1))
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	added := 0
	for n := range int64(6) {
		x, err := Open(dir, OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		before := x.Len()
		if err = x.Add([]int64{1000 + n}, [][]float32{{1, 2, 3}}); err == nil {
			added++
		}
		if after := x.Len(); (after == before+1) != (err == nil) || err != nil && !strings.Contains(err.Error(), "used up") {
			t.Fatal(before, after, err)
		}
		x.Close()
	}
	if added == 0 || added == 6 {
		t.Errorf("%d additions", added)
	}
}

// Readers open a folder whose files a writer replaces without a pause.
func TestReadersOfBusyFolder(t *testing.T) {
	dir := t.TempDir()
	x, err := Create(dir, Options{Dim: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	var ids []int64
	var vectors [][]float32
	for id := range int64(4000) {
		ids, vectors = append(ids, id), append(vectors, []float32{1})
	}
	if err := x.Add(ids, vectors); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for id := int64(0); ; id = (id + 1) % 1000 {
			select {
			case <-done:
				return
			default:
			}
			if _, err := x.Delete(id); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 20 {
		if _, err := Open(dir, OpenOptions{ReadOnly: true}); err != nil {
			t.Error(err)
		}
	}
	close(done)
	writer.Wait()
}
