package index

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/internal/atomicfile"
	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/internal/strictjson"
)

const (
	manifestName    = "index.json"
	manifestVersion = 1
)

// A manifest is the file that lists the files of an index in a folder. Files that it does not list are not read.
type manifest struct {
	Version  int               `json:"version"`
	Dim      int               `json:"dim"`
	Type     string            `json:"type"`
	Metric   string            `json:"metric"`
	Next     int               `json:"next"` // the number of the next file
	Segments []manifestSegment `json:"segments"`
}

type manifestSegment struct {
	File    string `json:"file"`
	Rows    int    `json:"rows"`
	Deleted string `json:"deleted,omitempty"` // a file that lists deleted rows
}

// readManifest reads and checks the manifest of a folder.
func readManifest(dir string) (m manifest, o Options, err error) {
	data, err := smallfile.Read(os.DirFS(dir), manifestName)
	if err != nil {
		return m, o, err
	}
	return parseManifest(data)
}

func parseManifest(data []byte) (m manifest, o Options, err error) {
	if err := onlyFields(data, "version", "dim", "type", "metric", "next", "segments"); err != nil {
		return m, o, err
	}
	var raw struct {
		Segments []json.RawMessage `json:"segments"`
	}
	if err := strictjson.Decode(data, &m); err != nil {
		return m, o, err
	}
	if err := strictjson.Decode(data, &raw); err != nil {
		return m, o, err
	}
	for i, s := range raw.Segments {
		if err := onlyFields(s, "file", "rows", "deleted"); err != nil {
			return m, o, fmt.Errorf("segment %d: %w", i, err)
		}
	}
	if m.Version != manifestVersion {
		return m, o, fmt.Errorf("expected version %d, found %d", manifestVersion, m.Version)
	}
	if m.Segments == nil {
		return m, o, fmt.Errorf("field segments: expected a list, found none")
	}
	t, metric := slices.Index(typeNames[:], m.Type), slices.Index(metricNames[:], m.Metric)
	if t < 0 {
		return m, o, fmt.Errorf("field type: expected one of %q, found %q", typeNames, m.Type)
	}
	if metric < 0 {
		return m, o, fmt.Errorf("field metric: expected one of %q, found %q", metricNames, m.Metric)
	}
	o = Options{m.Dim, Type(t), Metric(metric)}
	if err := o.check(); err != nil {
		return m, o, err
	}
	if m.Next < 0 || m.Next > maxFiles {
		return m, o, fmt.Errorf("field next: expected 0 to %d, found %d", maxFiles, m.Next)
	}
	seen := map[string]bool{}
	for i, s := range m.Segments {
		if s.Rows < 1 || s.Rows > maxRows {
			return m, o, fmt.Errorf("segment %d: expected 1 to %d rows, found %d", i, maxRows, s.Rows)
		}
		for prefix, name := range map[string]string{rowsPrefix: s.File, deletedPrefix: s.Deleted} {
			if name == "" && prefix == deletedPrefix {
				continue
			}
			if n, ok := fileNumber(name, prefix); !ok || n >= m.Next {
				return m, o, fmt.Errorf("segment %d: expected the name of a file such as %q, with a number below %d, found %q",
					i, fileName(prefix, 1), m.Next, name)
			}
			if seen[name] {
				return m, o, fmt.Errorf("segment %d: %s is listed twice", i, name)
			}
			seen[name] = true
		}
	}
	return m, o, nil
}

// onlyFields refuses an object with other fields: a later version may give them a meaning.
func onlyFields(data []byte, names ...string) error {
	var other []string
	err := strictjson.Object(data, func(key string, _ []byte) {
		if !slices.Contains(names, key) {
			other = append(other, key)
		}
	})
	if err == nil && other != nil {
		err = fmt.Errorf("field %q is unknown", other[0])
	}
	return err
}

func (m manifest) write(path string) error {
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(path, append(data, '\n'))
}

// The beginnings of the names of files.
const (
	rowsPrefix    = "rows-"
	deletedPrefix = "deleted-"
	fileSuffix    = ".safetensors"
)

// maxFiles bounds the numbers in the names of files.
const maxFiles = math.MaxInt / 2

func fileName(prefix string, n int) string { return fmt.Sprintf("%s%08d%s", prefix, n, fileSuffix) }

// fileNumber returns the number in a name, and whether the index gives such names.
func fileNumber(name, prefix string) (n int, ok bool) {
	digits, _ := strings.CutPrefix(name, prefix)
	digits, _ = strings.CutSuffix(digits, fileSuffix)
	for _, c := range digits {
		if c < '0' || c > '9' || n > (math.MaxInt-9)/10 {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, name == fileName(prefix, n)
}
