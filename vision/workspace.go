package vision

import "sync"

// workspace is the memory in which one goroutine reads and prepares images, one after the other. Each image overwrites
// the one before. The zero value is ready; a workspace that is used once returns fresh memory.
type workspace struct {
	file    []byte
	decoded *Image
	resized *Image
}

// keepBytes limits each kind of memory that a workspace keeps from one image to the next: photographs of 21 megapixels.
// A single panorama in a folder should not stay for the rest of the run.
const keepBytes = 64 << 20

// trim frees memory above keepBytes.
func (w *workspace) trim() {
	if cap(w.file) > keepBytes {
		w.file = nil
	}
	for _, m := range []**Image{&w.decoded, &w.resized} {
		if *m != nil && cap((*m).Pix) > keepBytes {
			*m = nil
		}
	}
}

// workspaces are the idle workspaces of an epoch. Each goroutine takes one for one image. (A sync.Pool would drop some of
// them at random.)
type workspaces struct {
	mu   sync.Mutex
	idle []*workspace
}

// take returns an idle workspace, or a new one.
func (s *workspaces) take() *workspace {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.idle)
	if n == 0 {
		return new(workspace)
	}
	w := s.idle[n-1]
	s.idle = s.idle[:n-1]
	return w
}

// put trims a workspace and makes it idle.
func (s *workspaces) put(w *workspace) {
	w.trim()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, w)
}

// open opens image i of a data set. It decodes the files of this package's data sets in the workspace.
func (w *workspace) open(d Dataset, i int) (*Image, error) {
	switch d := d.(type) {
	case *Subset:
		return w.open(d.Of, d.Indices[i])
	case *Folder:
		return w.decodeFile(d.fsys, d.files[i], d.options.Decode)
	case *Pairs:
		return w.open(&d.images, i)
	case *Shards:
		return w.decodeShard(d, i)
	}
	return d.Open(i)
}

// geometry is Preprocess.Geometry in the workspace.
func (w *workspace) geometry(p *Preprocess, m *Image) (*Image, error) {
	if w.resized == nil {
		w.resized = new(Image)
	}
	return p.geometry(w.resized, m, nil)
}
