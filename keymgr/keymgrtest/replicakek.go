package keymgrtest

import "slices"

// ReplicaKEK is a [KEK] that has the same key as others, as the replicas of a
// multi-Region key have: a [keymgr.Replica].
type ReplicaKEK struct {
	*KEK
	uris []string // of all replicas
}

// NewReplicas returns one ReplicaKEK for each name, all with the same new random
// key. Each counts its own calls and fails on its own.
func NewReplicas(names ...string) []ReplicaKEK {
	var replicas []ReplicaKEK
	var uris []string
	aead := NewKEK("").aead
	for _, name := range names {
		k := &KEK{name: name, aead: aead}
		replicas = append(replicas, ReplicaKEK{KEK: k})
		uris = append(uris, k.URI())
	}
	for i := range replicas {
		replicas[i].uris = uris
	}
	return replicas
}

// ReplicaOf reports whether the URI is that of another replica.
func (k ReplicaKEK) ReplicaOf(uri string) bool {
	return uri != k.URI() && slices.Contains(k.uris, uri)
}
