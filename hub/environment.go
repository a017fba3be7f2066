package hub

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/fovea-ml/fovea/internal/filelock"
)

// settings are the options of one call, with the environment and the defaults filled in.
type settings struct {
	GetOptions
	base *url.URL // Endpoint, parsed
	tuning
}

// tuning holds what only tests change.
type tuning struct {
	copies  bool          // no symbolic links; the environment can ask for it, too
	stall   time.Duration // the longest silence of a connection
	pause   time.Duration // the first wait after a failure; later ones double
	patient time.Duration // the longest wait that a server may ask for
	free    func(dir string) (int64, error)
	write   func(f *os.File, p []byte, at int64) (int, error)
	symlink func(target, name string) error
	link    func(file, name string) error
	tryLock func(*os.File) (bool, error)
}

var usual = tuning{
	stall:   30 * time.Second,
	pause:   500 * time.Millisecond,
	patient: 5 * time.Minute,
	free:    freeSpace,
	write:   (*os.File).WriteAt,
	symlink: os.Symlink,
	link:    os.Link,
	tryLock: filelock.Try,
}

const defaultEndpoint = "https://huggingface.co"

func newSettings(opts GetOptions, t tuning) (*settings, error) {
	s := &settings{GetOptions: opts, tuning: t}
	if s.Parallel == 0 {
		s.Parallel = 4
	}
	if s.Parallel < 1 || s.Parallel > 64 {
		return nil, fmt.Errorf("hub: GetOptions.Parallel: expected 1 to 64 files at once, or 0 for the default, found %d", s.Parallel)
	}
	if s.Anonymous && s.Token != "" {
		return nil, errors.New("hub: GetOptions: expected a Token or Anonymous, found both")
	}
	s.Offline = s.Offline || isTrue(first("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
	s.copies = s.copies || isTrue(os.Getenv("HF_HUB_DISABLE_SYMLINKS"))
	for _, p := range s.Files {
		if _, err := path.Match(p, ""); err != nil {
			return nil, fmt.Errorf("hub: pattern %q: %w", p, err)
		}
	}
	home, err := cacheHome()
	if s.Cache == "" {
		s.Cache = expand(first("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"))
		if s.Cache == "" {
			if err != nil {
				return nil, fmt.Errorf("hub: no folder for the cache (set HF_HOME): %w", err)
			}
			s.Cache = filepath.Join(home, "hub")
		}
	}
	if s.Cache, err = filepath.Abs(s.Cache); err != nil {
		return nil, fmt.Errorf("hub: cache: %w", err)
	}
	if err := s.setEndpoint(); err != nil {
		return nil, err
	}
	return s, s.setToken(home)
}

func (s *settings) setEndpoint() error {
	if s.Endpoint == "" {
		s.Endpoint = first("HF_ENDPOINT")
	}
	if s.Endpoint == "" {
		s.Endpoint = defaultEndpoint
	}
	u, err := url.Parse(strings.TrimRight(s.Endpoint, "/"))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("hub: HF_ENDPOINT: expected an address such as " + defaultEndpoint) // without the address, which may hold a password
	}
	s.base = u
	return nil
}

func (s *settings) setToken(home string) error {
	if s.Token == "" && !s.Anonymous && !isTrue(os.Getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		s.Token = first("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
		if s.Token == "" {
			var err error
			if s.Token, err = storedToken(home); err != nil {
				return err
			}
		}
	}
	s.Token = strings.TrimSpace(s.Token)
	if strings.ContainsFunc(s.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("hub: the token (HF_TOKEN) contains a character that tokens cannot have")
	}
	return nil
}

// storedToken reads the token that a login stored.
func storedToken(home string) (string, error) {
	name := expand(first("HF_TOKEN_PATH"))
	if name == "" {
		if home == "" {
			return "", nil
		}
		name = filepath.Join(home, "token")
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("hub: token: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "", fmt.Errorf("hub: token: %w", err)
	}
	return string(data), nil
}

// cacheHome returns the folder of HF_HOME or its default, which is the same on every system.
func cacheHome() (string, error) {
	if dir := expand(first("HF_HOME")); dir != "" {
		return dir, nil
	}
	if dir := expand(first("XDG_CACHE_HOME")); dir != "" {
		return filepath.Join(dir, "huggingface"), nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(user, ".cache", "huggingface"), nil
}

// expand replaces a leading ~ and variables, as Python does for these folders. It keeps variables that are not set.
func expand(dir string) string {
	if dir == "~" || strings.HasPrefix(dir, "~/") || strings.HasPrefix(dir, `~\`) {
		if user, err := os.UserHomeDir(); err == nil {
			dir = user + dir[1:]
		}
	}
	return os.Expand(dir, func(name string) string {
		if value, found := os.LookupEnv(name); found {
			return value
		}
		return "$" + name
	})
}

// first returns the value of the first variable that is not empty.
func first(names ...string) string {
	for _, n := range names {
		if v := strings.TrimSpace(os.Getenv(n)); v != "" {
			return v
		}
	}
	return ""
}

func isTrue(value string) bool {
	switch strings.ToUpper(strings.TrimSpace(value)) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}
