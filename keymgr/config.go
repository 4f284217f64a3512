package keymgr

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"time"
)

// Config says which domains a [Manager] serves, with which KMS keys and out of
// which store. Only Store and Domains are required.
type Config struct {
	// Store keeps the wrapped keysets. It must read what was written last: a
	// lagging replica looks like a rollback.
	Store Store
	// Domains are the classes of data, each with keys of its own, by name:
	// [a-z][a-z0-9_-]{0,62}. At least one.
	Domains map[string]Domain
	// Lazy makes Open load nothing; scopes are then opened at first use. For
	// operators' tools, which create, re-wrap and rotate: an application wants
	// to fail at its start. It does not report as an instance, so promotion of
	// keys does not wait for it.
	Lazy bool

	// CacheTTL is the bound of revocation: within it, opened keys are opened
	// again through the KMS, in the background while they are in use.
	// Defaults to 5 minutes.
	CacheTTL time.Duration
	// MaxStale is how long keys serve after they were last opened, when since
	// then the KMS or the store has not answered. At least CacheTTL. Defaults
	// to 1 hour, or to CacheTTL if that is longer.
	MaxStale time.Duration
	// KMSTimeout bounds one call of a KEK or of Domain.TenantKEK. Defaults to
	// 10 seconds.
	KMSTimeout time.Duration
	// KMSRate is how many calls of KEKs are made a second, for each provider,
	// which is the scheme of the KEKs' URIs; after a pause, as many are made at
	// once. A call that would have to wait longer than half of KMSTimeout is not
	// made and counts as unavailable: cached keys serve on, and where none are
	// cached the use fails with [ErrKMSUnavailable] at once. Defaults to 200, with
	// which the cold start of 10,000 tenants takes 50 seconds, and who asks for more
	// than 1,200 of them at once fails and may try again.
	KMSRate float64
	// HedgeAfter is how long the opening of a scope waits for a KEK, from when it
	// was asked, before it asks the next one beside it; the first that succeeds
	// counts. One KEK that can be reached opens a scope within HedgeAfter for each
	// KEK that is listed before it and one call, and what KMSRate makes them wait.
	// Defaults to 1 second.
	HedgeAfter time.Duration
	// StoreTimeout bounds one call of the Store. Defaults to 3 seconds.
	StoreTimeout time.Duration

	// MaxOpenScopes bounds how many scopes of per-tenant domains are open at
	// once; to open one more, one that was not used lately is dropped, and opened
	// again through the KMS at its next use. Of those that are dropped the
	// Manager remembers the version, in some 30 bytes each, for [ErrRollback].
	// An open scope of a few keys takes about 2.5 KB. Defaults to 10,000.
	MaxOpenScopes int
	// Heartbeat is the longest time between two reports of what this instance
	// holds to the store, if that is an [InstanceStore] (one that writes sparingly
	// is told less often). Within it, a change of the keysets by another process
	// is seen. Defaults to 15 seconds, or a quarter of MaxStale + CacheTTL if that
	// is shorter, but not below 1 second. Negative: it does not report; then a key
	// must only be promoted when it is older than MaxStale + CacheTTL of this
	// Config, which others do not know.
	Heartbeat time.Duration

	// MinVersions are the lowest versions of scopes that are accepted
	// ([ErrRollback]): what a Manager remembers while it runs, kept across
	// restarts. Defaults to none.
	MinVersions map[Scope]uint64

	// Logger gets an event when a scope is opened, fails to, is evicted or
	// changed. Its handler must not wait for keys of the scope that it is told
	// of. Nil: silent.
	Logger *slog.Logger
	// Observer is told of KMS calls, openings and failures. Nil: none.
	Observer Observer
	// CountHits makes Stats count the uses that cached keys serve: some
	// nanoseconds for each, and more where many cores share them.
	CountHits bool
	// Now is the clock. Defaults to time.Now; tests move it. It is called
	// concurrently.
	Now func() time.Time
}

// Domain is how the keys of one class of data are wrapped.
type Domain struct {
	// KEKs wrap the data keys: each data key is made by the first and wrapped
	// under all of them, and any one opens it, the first that answers.
	// Required, unless there is a TenantKEK.
	KEKs []KEK
	// DecryptOnly are KEKs that still open what they have wrapped, during a
	// move to others, and wrap nothing.
	DecryptOnly []KEK

	// PerTenant gives every tenant keys of its own.
	PerTenant bool
	// AutoCreate makes missing scopes in Open and Ensure. Otherwise Create and
	// the command `fieldcrypt keys create` make them.
	AutoCreate bool
	// TenantContext says how tenants appear in the KMS encryption context of
	// new wraps, and in this package's log lines and errors.
	TenantContext TenantContext
	// TenantKEK returns the KEKs of one tenant, in place of KEKs: its own KMS
	// key, brought along. None is an error, not a fall-back to KEKs. It is
	// called at every opening. Nil: KEKs serve all tenants.
	TenantKEK func(ctx context.Context, tenant string) ([]KEK, error)
}

const (
	defaultCacheTTL     = 5 * time.Minute
	defaultMaxStale     = time.Hour
	defaultKMSTimeout   = 10 * time.Second
	defaultStoreTimeout = 3 * time.Second
	defaultHedgeAfter   = time.Second
	defaultKMSRate      = 200

	defaultMaxOpenScopes = 10_000

	longest = 10 * 365 * 24 * time.Hour

	maxVersion = math.MaxInt64 // what a SQL bigint holds
)

// complete returns a copy of c that shares nothing the caller might change,
// with defaults filled in, or ErrConfig.
func (c Config) complete() (Config, error) {
	fill := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	fill(&c.CacheTTL, defaultCacheTTL)
	fill(&c.MaxStale, max(defaultMaxStale, c.CacheTTL))
	fill(&c.KMSTimeout, defaultKMSTimeout)
	fill(&c.StoreTimeout, defaultStoreTimeout)
	if c.MaxOpenScopes == 0 {
		c.MaxOpenScopes = defaultMaxOpenScopes
	}
	fill(&c.Heartbeat, defaultHeartbeat)
	fill(&c.HedgeAfter, defaultHedgeAfter)
	if c.KMSRate == 0 {
		c.KMSRate = defaultKMSRate
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Domains = maps.Clone(c.Domains)
	c.MinVersions = maps.Clone(c.MinVersions)

	switch {
	case c.Store == nil:
		return c, fmt.Errorf("%w: Store is missing", ErrConfig)
	case len(c.Domains) == 0:
		return c, fmt.Errorf("%w: Domains is empty: name at least one", ErrConfig)
	case c.CacheTTL < 0 || c.KMSTimeout < 0 || c.StoreTimeout < 0 || c.HedgeAfter < 0:
		return c, fmt.Errorf("%w: a duration is negative", ErrConfig)
	case c.MaxOpenScopes < 0:
		return c, fmt.Errorf("%w: MaxOpenScopes is negative", ErrConfig)
	case !(c.KMSRate > 0): // nor is it NaN
		return c, fmt.Errorf("%w: KMSRate %v is not positive", ErrConfig, c.KMSRate)
	case max(c.MaxStale, c.KMSTimeout, c.StoreTimeout) > longest: // sums of them say when keys are safe to use or gone
		return c, fmt.Errorf("%w: MaxStale or a timeout is longer than ten years", ErrConfig)
	case c.MaxStale < c.CacheTTL:
		return c, fmt.Errorf("%w: MaxStale %v is below CacheTTL %v", ErrConfig, c.MaxStale, c.CacheTTL)
	}
	for name, d := range c.Domains {
		if err := d.check(name); err != nil {
			return c, err
		}
		d.KEKs, d.DecryptOnly = slices.Clone(d.KEKs), slices.Clone(d.DecryptOnly)
		c.Domains[name] = d
	}
	for s, v := range c.MinVersions {
		d, ok := c.Domains[s.Domain]
		if !ok || s.Validate() != nil || d.PerTenant != (s.Tenant != "") || v > maxVersion {
			return c, fmt.Errorf("%w: MinVersions names a scope of domain %q that cannot be", ErrConfig, clip(s.Domain))
		}
	}
	return c, nil
}

func (d Domain) check(name string) error {
	fail := func(text string) error { return fmt.Errorf("%w: domain %q: %s", ErrConfig, clip(name), text) }
	switch {
	case !validDomain(name):
		return fail("the name does not match [a-z][a-z0-9_-]{0,62}")
	case len(d.KEKs) == 0 && d.TenantKEK == nil:
		return fail("KEKs is empty: list the KMS key that wraps its keys")
	case d.TenantKEK != nil && !d.PerTenant:
		return fail("TenantKEK needs PerTenant")
	case d.TenantContext != TenantPlain && d.TenantContext != TenantSHA256:
		return fail("TenantContext is none of the named values")
	}
	if problem := checkKEKs(slices.Concat(d.KEKs, d.DecryptOnly)); problem != "" {
		return fail(problem)
	}
	return nil
}

// checkKEKs says what is wrong with a list of KEKs, or "".
func checkKEKs(keks []KEK) string {
	seen := map[string]bool{}
	for _, k := range keks {
		if k == nil {
			return "a KEK is nil"
		}
		uri := k.URI()
		if uri == "" {
			return "a KEK has no URI"
		}
		if seen[uri] {
			return "the KEK " + uri + " is listed twice"
		}
		seen[uri] = true
	}
	return ""
}
