package hub

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	attempts     = 5  // in a row without a new byte
	maxRedirects = 10 // of one request
)

// A client speaks to the hub for one call of Get.
type client struct {
	*settings
	http http.Client
}

func newClient(s *settings) *client {
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    s.Parallel,
		MaxResponseHeaderBytes: 1 << 20,
		DisableCompression:     true, // sizes and ranges are those of the file
	}
	return &client{s, http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// address returns the address of a path of the hub. Each word is escaped.
func (c *client) address(words ...string) *url.URL {
	escaped := make([]string, len(words))
	for i, w := range words {
		escaped[i] = url.PathEscape(w)
	}
	return c.base.JoinPath(escaped...)
}

// An answer is a response, with headers about the file from the redirects that led to it.
type answer struct {
	*http.Response
	about http.Header // of the last response that names a commit: the hub's
	away  bool        // a redirect led away from the hub
}

// send makes one request and follows redirects. Only the hub sees the token, and not again after a redirect has led
// away from it. With stop, a redirect to another host that describes the file is itself the answer.
func (c *client) send(ctx context.Context, method string, at *url.URL, header http.Header, stop bool) (*answer, error) {
	a := &answer{}
	for range maxRedirects + 1 {
		req, err := http.NewRequest(method, at.String(), nil)
		if err != nil {
			return nil, err
		}
		maps.Copy(req.Header, header)
		req.Header.Set("User-Agent", "fovea")
		req.Header.Set("Accept-Encoding", "identity")
		a.away = a.away || !sameOrigin(at, c.base)
		if a.away {
			req.Header.Del("If-Range") // the tag is the hub's
		} else if c.Token != "" {
			req.Header.Set("Authorization", "Bearer "+c.Token)
		}
		resp, err := c.roundTrip(ctx, req)
		if err != nil {
			return nil, err
		}
		a.Response = resp
		if a.about == nil || resp.Header.Get("X-Repo-Commit") != "" {
			a.about = resp.Header
		}
		location := resp.Header.Get("Location")
		switch resp.StatusCode {
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		default:
			return a, nil
		}
		if location == "" {
			return a, nil
		}
		next, err := at.Parse(location)
		if err == nil && stop && !sameOrigin(at, next) && resp.Header.Get("X-Linked-Etag") != "" {
			return a, nil
		}
		resp.Body.Close()
		if err != nil || next.Host == "" || next.Scheme != "https" && next.Scheme != "http" {
			return nil, fmt.Errorf("%s redirects to an invalid address", at.Host)
		}
		if at.Scheme == "https" && next.Scheme != "https" {
			return nil, fmt.Errorf("%s redirects to %s without encryption", at.Host, next.Host)
		}
		at = next
	}
	return nil, fmt.Errorf("%s redirects more than %d times", at.Host, maxRedirects)
}

// page reports whether an answer that should be data is a web page. begin is the begin of its body.
func (a *answer) page(begin []byte) bool {
	kind, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "text/html") || bytes.HasPrefix(bytes.TrimSpace(begin), []byte("<"))
}

// errPage says where a web page may come from, in place of what was expected.
func (a *answer) errPage(expected string) error {
	return fmt.Errorf("expected %s, found a web page of %s: a proxy or a login page may answer for the hub; log in there, or check HF_ENDPOINT and the proxy", expected, a.Request.URL.Host)
}

// sameOrigin reports whether two addresses have the same scheme, host and port.
func sameOrigin(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		if p := u.Port(); p != "" {
			return p
		}
		return map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

var errStalled = errors.New("the connection is silent")

// roundTrip makes one request, and ends it when nothing arrives for the time settings.stall.
func (c *client) roundTrip(parent context.Context, req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(parent)
	watch := time.AfterFunc(c.stall, func() { cancel(errStalled) })
	resp, err := c.http.Do(req.WithContext(ctx))
	watch.Stop()
	if err != nil {
		err = netError(ctx, err)
		cancel(nil)
		return nil, err
	}
	resp.Body = &watched{resp.Body, ctx, cancel, watch, c.stall}
	return resp, nil
}

// watched is a body whose request ends when it falls silent.
type watched struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	watch  *time.Timer
	stall  time.Duration
}

func (w *watched) Read(p []byte) (int, error) {
	w.watch.Reset(w.stall)
	n, err := w.ReadCloser.Read(p)
	w.watch.Stop()
	if err != nil && err != io.EOF {
		err = netError(w.ctx, err)
	}
	return n, err
}

func (w *watched) Close() error {
	w.watch.Stop()
	w.cancel(nil)
	return w.ReadCloser.Close()
}

// A transient error is worth another attempt.
type transient struct {
	err   error
	after time.Duration // the shortest wait, if the server names one
}

func (t *transient) Error() string { return t.err.Error() }
func (t *transient) Unwrap() error { return t.err }

// netError makes errors of a bad connection transient, and leaves others, which another attempt would not change. It
// drops the address, which may carry a signature.
func netError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause == errStalled {
		return &transient{err: errStalled}
	} else if cause != nil {
		return cause
	}
	if e := (*url.Error)(nil); errors.As(err, &e) {
		err = e.Err
	}
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &name) && name.IsNotFound || errors.As(err, &certificate) {
		return err
	}
	return &transient{err: err}
}

// statusError explains a status other than success, and says what to do.
func (c *client) statusError(a *answer) error {
	said := a.Header.Get("X-Error-Message")
	if len(said) > 200 {
		said = said[:200]
	}
	detail := fmt.Sprintf("status %d of %s", a.StatusCode, a.Request.URL.Host)
	if said != "" {
		detail += fmt.Sprintf(", %q", said)
	}
	switch a.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &transient{errors.New(detail), retryAfter(a.Header, time.Now())}
	}
	switch a.Header.Get("X-Error-Code") {
	case "RepoNotFound":
		return c.noModel(detail)
	case "RevisionNotFound":
		return fmt.Errorf("%w (%s): name a branch, a tag or a commit after the @", ErrNoRevision, detail)
	case "EntryNotFound":
		return fmt.Errorf("%w (%s)", ErrNoFile, detail)
	case "GatedRepo":
		if c.Token == "" {
			return fmt.Errorf("%w (%s): do so on the model's page, then set HF_TOKEN to a token of your account", ErrGated, detail)
		}
		return fmt.Errorf("%w (%s): do so on the model's page with the account of this token", ErrGated, detail)
	}
	if a.away { // the link has expired: the hub gives a new one
		return &transient{err: errors.New(detail)}
	}
	switch a.StatusCode {
	case http.StatusUnauthorized:
		if c.Token == "" {
			return c.noModel(detail)
		}
		return fmt.Errorf("%w (%s): HF_TOKEN, or the token that a login stored, is wrong or has expired", ErrToken, detail)
	case http.StatusForbidden:
		if c.Token == "" { // so it is not about a token
			return fmt.Errorf("%s: the hub, or a proxy on the way to it, refuses this request; if the model needs an account, set HF_TOKEN", detail)
		}
		return fmt.Errorf("%w (%s): it may not read this model", ErrToken, detail)
	case http.StatusNotFound:
		if strings.Contains(a.Request.URL.Path, "/resolve/") {
			return fmt.Errorf("%w (%s)", ErrNoFile, detail)
		}
		return c.noModel(detail)
	}
	return errors.New(detail)
}

func (c *client) noModel(detail string) error {
	if c.Token == "" {
		return fmt.Errorf("%w (%s): check the name; if the model is private, set HF_TOKEN", ErrNoModel, detail)
	}
	return fmt.Errorf("%w (%s): check the name, and that the token may read it", ErrNoModel, detail)
}

var rateLimit = regexp.MustCompile(`;\s*r=(\d{1,9})\s*;\s*t=(\d{1,9})`)

// retryAfter returns the wait that a server asks for: a number of seconds, a date, or the rest of a rate limit's period.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if m := rateLimit.FindStringSubmatch(h.Get("RateLimit")); m != nil && strings.Trim(m[1], "0") == "" {
		n, _ := strconv.Atoi(m[2])
		return time.Duration(n+1) * time.Second
	}
	value := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseUint(value, 10, 30); err == nil {
		return time.Duration(n) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(date.Sub(now), 0)
	}
	return 0
}

// retry calls f until it succeeds, fails permanently, or has failed too often.
func (c *client) retry(ctx context.Context, f func() error) error {
	for failures := 1; ; failures++ {
		err := f()
		if err == nil {
			return nil
		}
		if err := c.again(ctx, failures, err); err != nil {
			return err
		}
	}
}

// again waits and returns nil if an attempt that failed with err should be repeated. Otherwise it returns the final
// error.
func (c *client) again(ctx context.Context, failures int, err error) error {
	var t *transient
	if !errors.As(err, &t) {
		return err
	}
	if failures >= attempts {
		return fmt.Errorf("gave up after %d attempts: %w", failures, t.err)
	}
	wait := min(c.pause<<(failures-1), 16*c.pause)
	wait += time.Duration(rand.Float64() * 0.25 * float64(wait))
	if t.after > c.patient {
		return fmt.Errorf("the server asks to wait for %v: %w", t.after.Round(time.Second), t.err)
	}
	timer := time.NewTimer(max(wait, t.after))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
