package awskmstest

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"
)

// account is what the servers of one account share: IAM, which knows no
// regions, and one lock over all of their state, because an operation on a
// multi-Region key changes it in several regions at once.
type account struct {
	id string

	mu         sync.Mutex
	users      map[string]*user      // by access key id
	principals map[string]*principal // by ARN
	regions    map[string]*Server    // by name
}

func newAccount(id string) *account {
	return &account{id: id, users: map[string]*user{}, principals: map[string]*principal{}, regions: map[string]*Server{}}
}

// StartRegions runs a server for each of the named regions of one account, until
// the test and its subtests are over: multi-Region keys can be replicated
// between them, and the credentials of one are those of all.
func StartRegions(t testing.TB, regions ...string) []*Server {
	t.Helper()
	configs := make([]Config, len(regions))
	for i, region := range regions {
		configs[i] = Config{Region: region}
	}
	servers, err := NewRegions(configs...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range servers {
		t.Cleanup(s.Close)
	}
	return servers
}

// NewRegions is [New] for several regions of one account. Their regions must
// differ and be of one partition, and their AccountIDs be the same. Each is to be
// closed.
func NewRegions(configs ...Config) ([]*Server, error) {
	if len(configs) == 0 {
		return nil, nil
	}
	first := configs[0].withDefaults()
	a := newAccount(first.AccountID)
	var servers []*Server
	for _, cfg := range configs {
		cfg = cfg.withDefaults()
		err := cfg.check()
		switch _, twice := a.regions[cfg.Region]; {
		case err != nil:
		case twice:
			err = fmt.Errorf("awskmstest: two Configs have the Region %s", cfg.Region)
		case cfg.AccountID != first.AccountID:
			err = fmt.Errorf("awskmstest: the regions of one account cannot have the AccountIDs %s and %s", first.AccountID, cfg.AccountID)
		case partitionOf(cfg.Region) != partitionOf(first.Region):
			err = fmt.Errorf("awskmstest: no account has the regions %s and %s", first.Region, cfg.Region)
		}
		var s *Server
		if err == nil {
			s, err = newServer(cfg, a)
		}
		if err != nil {
			for _, s := range servers {
				s.Close()
			}
			return nil, err
		}
		servers = append(servers, s)
	}
	return servers, nil
}

// lineage is what a multi-Region key and its replicas share. Every key has one,
// most of them alone.
type lineage struct {
	materials []*material // oldest first, the last one encrypts; none for HMAC keys
	rotation  rotation
	primary   *key
	members   []*key
}

// replicas are the members that are not the primary, by region.
func (l *lineage) replicas() []*key {
	list := slices.DeleteFunc(slices.Clone(l.members), func(k *key) bool { return k == l.primary })
	slices.SortFunc(list, func(a, b *key) int { return cmp.Compare(a.region, b.region) })
	return list
}

func (l *lineage) in(region string) *key {
	for _, k := range l.members {
		if k.region == region {
			return k
		}
	}
	return nil
}

// isReplica reports whether the key is the copy of one in another region.
func (k *key) isReplica() bool { return k.primary != k }

// multiRegionType is "PRIMARY", "REPLICA" or, for other keys, "".
func (k *key) multiRegionType() string {
	switch {
	case !k.multiRegion:
		return ""
	case k.isReplica():
		return "REPLICA"
	}
	return "PRIMARY"
}
