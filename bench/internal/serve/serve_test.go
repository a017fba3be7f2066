package serve

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"
)

// TestRequests sends requests to one worker and checks every answer.
func TestRequests(t *testing.T) {
	runs := 0
	prepare := func(words []string) (func() error, error) {
		if words[0] != "count" {
			return nil, errors.New("unknown case")
		}
		return func() error {
			if runs++; runs > 4 {
				return errors.New("too many runs")
			}
			return nil
		}, nil
	}
	more := map[string]func([]string) (string, error){
		"join": func(words []string) (string, error) { return strings.Join(words, "+"), nil },
	}
	session := []struct{ request, want string }{
		{"run 1", "error expected a prepared case and a number of runs"},
		{"prepare nothing", "error unknown case"},
		{"prepare count", "ok"},
		{"run 4", "number"},
		{"allocated", "number"},
		{"memory", "number"},
		{"run 1", "error too many runs"},
		{"run", "error expected a prepared case and a number of runs"},
		{"run 0", `error expected a number of runs, found "0"`},
		{"join a b", "a+b"},
		{"nonsense", `error unknown request "nonsense"`},
	}
	var requests strings.Builder
	for _, s := range session {
		requests.WriteString(s.request + "\n\n")
	}
	var out bytes.Buffer
	Requests(strings.NewReader(requests.String()), &out, prepare, more)
	answers := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(answers) != len(session) {
		t.Fatalf("found %d answers to %d requests: %q", len(answers), len(session), answers)
	}
	for i, s := range session {
		got := answers[i]
		if _, err := strconv.ParseFloat(got, 64); err == nil {
			got = "number"
		}
		if got != s.want {
			t.Errorf("%s: found %q, expected %q", s.request, got, s.want)
		}
	}
}
