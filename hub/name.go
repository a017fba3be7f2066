package hub

import (
	"fmt"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A model is a repository at a revision. Users write "owner/name" or "owner/name@revision".
type model struct {
	repo     string // "owner/name", or "name" for the few without an owner
	revision string // a branch, a tag or a commit; "main" by default
}

// parse splits the name of a model and checks its parts, because they become names of folders and parts of addresses.
func parse(name string) (model, error) {
	repo, revision, found := strings.Cut(name, "@")
	if !found {
		revision = "main"
	}
	if err := checkRepo(repo); err != nil {
		return model{}, fmt.Errorf("hub: %q: %w", name, err)
	}
	if err := checkRevision(revision); err != nil {
		return model{}, fmt.Errorf("hub: %q: revision %q: %w", name, revision, err)
	}
	return model{repo, revision}, nil
}

func (m model) String() string {
	if m.revision == "main" {
		return m.repo
	}
	return m.repo + "@" + m.revision
}

// checkRepo accepts the names that the hub itself allows: one or two words of letters, digits, '-', '_' and '.'. "--" is
// refused, because it separates the words in the name of a cache folder.
func checkRepo(repo string) error {
	words := strings.Split(repo, "/")
	if len(words) > 2 {
		return fmt.Errorf("expected owner/name, found %d parts", len(words))
	}
	for _, w := range words {
		switch {
		case w == "" || len(w) > 96:
			return fmt.Errorf("expected owner/name, each of 1 to 96 characters, found %d", len(w))
		case strings.IndexFunc(w, func(r rune) bool { return !isWord(r) && r != '-' && r != '.' }) >= 0:
			return fmt.Errorf("%q: expected letters, digits, '-', '_' and '.' only", w)
		case !isWord(rune(w[0])) || !isWord(rune(w[len(w)-1])):
			return fmt.Errorf("%q: expected no '-' or '.' at either end", w)
		case strings.Contains(w, "--") || strings.Contains(w, ".."):
			return fmt.Errorf("%q: expected no \"--\" or \"..\" in it", w)
		case isDevice(w):
			return fmt.Errorf("%q is the name of a device on Windows", w)
		}
	}
	if strings.HasSuffix(repo, ".git") {
		return fmt.Errorf("expected a name without .git at the end")
	}
	return nil
}

func isWord(r rune) bool {
	return r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// checkRevision accepts the names that Git allows for a branch or a tag and every file system for a path. Both count,
// because a revision is also the name of a file in the cache.
func checkRevision(revision string) error {
	if strings.ContainsAny(revision, " ~^[") || strings.Contains(revision, "@{") || strings.Contains(revision, "..") {
		return fmt.Errorf("it contains characters that a branch or tag cannot have")
	}
	if len(revision) > 200 {
		return fmt.Errorf("expected at most 200 bytes, found %d", len(revision))
	}
	for part := range strings.SplitSeq(revision, "/") {
		if strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return fmt.Errorf("its part %q begins with '.' or ends with .lock", part)
		}
	}
	return checkPath(revision)
}

// checkPath accepts untrusted, slash-separated names that stay in their folder and that every file system can hold,
// because a cache may move to another system.
func checkPath(name string) error {
	if !fs.ValidPath(name) || name == "." {
		return fmt.Errorf("expected a path that stays inside its folder")
	}
	if len(name) > 1000 || strings.Count(name, "/") > 15 {
		return fmt.Errorf("the path is too long or too deep")
	}
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case len(part) > 200:
			return fmt.Errorf("%q…: expected at most 200 bytes, found %d", part[:20], len(part))
		case strings.ContainsAny(part, `<>:"|?*\`) || strings.ContainsFunc(part, unicode.IsControl) || !utf8.ValidString(part):
			return fmt.Errorf("%q has a character that not every file system allows", part)
		case strings.HasSuffix(part, ".") || strings.HasSuffix(part, " "):
			return fmt.Errorf("%q ends with a dot or a space, which Windows drops", part)
		case isDevice(part):
			return fmt.Errorf("%q is the name of a device on Windows", part)
		}
	}
	return nil
}

// isDevice reports whether Windows takes a file name for a device, whatever follows its first dot.
func isDevice(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	for _, port := range []string{"COM", "LPT"} {
		if n, found := strings.CutPrefix(base, port); found && utf8.RuneCountInString(n) == 1 && strings.Contains("0123456789¹²³", n) {
			return true
		}
	}
	return false
}

// isHash reports whether s is n lower-case hexadecimal digits: 40 for a commit or a Git blob, 64 for SHA-256.
func isHash(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
