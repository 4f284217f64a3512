package keymgr_test

import (
	"context"
	"expvar"
	"fmt"
	"log"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

// metrics turns what a Manager does into counters with few labels, as an adapter
// to OpenTelemetry does: there, each Add is that of an Int64Counter with these
// attributes, and KMSCall.Duration goes into a histogram.
type metrics struct{ calls, scopes expvar.Map }

func (m *metrics) Observe(_ context.Context, o keymgr.Observation) {
	switch o := o.(type) {
	case keymgr.KMSCall:
		m.calls.Add(fmt.Sprintf("domain=%s operation=%s class=%s", o.Domain, o.Operation, o.Class), 1)
	case keymgr.KMSThrottled:
		m.calls.Add(fmt.Sprintf("domain=%s operation=%s class=throttled", o.Domain, o.Operation), 1)
	case keymgr.ScopeOpened:
		m.scopes.Add(fmt.Sprintf("domain=%s event=opened failover=%q", o.Domain, o.Failover), 1)
	case keymgr.RefreshFailed:
		m.scopes.Add(fmt.Sprintf("domain=%s event=stale class=%s", o.Domain, o.Class), 1)
	case keymgr.ScopeEvicted:
		m.scopes.Add(fmt.Sprintf("domain=%s event=evicted class=%s", o.Domain, o.Class), 1)
	}
}

// Metrics from an Observer. The counters of Manager.Stats are for gauges that are
// read at each scrape.
func ExampleObserver() {
	first, second := keymgrtest.NewKEK("eu"), keymgrtest.NewKEK("us")
	var m metrics
	keys, err := keymgr.Open(context.Background(), keymgr.Config{
		Store:    memstore.New(),
		Domains:  map[string]keymgr.Domain{"medical": {KEKs: []keymgr.KEK{first, second}, AutoCreate: true}},
		Observer: &m,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer keys.Close()

	first.Unavailable() // the region is down
	scope := keymgr.Scope{Domain: "medical"}
	keys.Evict(scope)
	if _, err := keys.Keys(context.Background(), scope); err != nil {
		log.Fatal(err)
	}
	print := func(kv expvar.KeyValue) { fmt.Println(kv.Key, kv.Value) }
	m.calls.Do(print)
	m.scopes.Do(print)
	fmt.Println("KMS calls:", keys.Stats().KMSCalls)
	// Output:
	// domain=medical operation=GenerateDataKey class=ok 1
	// domain=medical operation=Unwrap class=kms_unavailable 1
	// domain=medical operation=Unwrap class=ok 1
	// domain=medical operation=Wrap class=ok 1
	// domain=medical event=evicted class=asked 1
	// domain=medical event=opened failover="kms_unavailable" 1
	// KMS calls: 4
}
