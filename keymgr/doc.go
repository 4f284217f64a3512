// Package keymgr keeps the keys of fieldcrypt: two Tink keysets for each
// [Scope], wrapped by KMS keys, stored beside the data, cached, and rotated. It
// knows nothing of fields.
//
//	KMS key (KEK)  wraps  data key of a scope  encrypts  the scope's two keysets
//
// A [Manager] opens scopes through the [KEK]s that its [Config] lists for their
// domain, and through no others, out of a [Store]. Opening a scope is one KMS
// call. The opened [Keys] serve from memory and are opened again through the KMS within
// Config.CacheTTL, so that a KMS key that is disabled or denied takes effect
// by then; when the KMS or the store does not answer, they serve on until
// Config.MaxStale.
//
// # The life of a key
//
//	pending  ->  primary  <->  active  <->  disabled  ->  destroyed
//
// [Manager.AddKey] adds a key that reads and does not write yet; a pending key can
// be disabled too. [Manager.PromoteKey] makes it the primary, which writes, once
// no instance can be without it; the one before it is active and reads on. When
// rows have been moved off that one, [Manager.DisableKey] takes it out of use and
// later [Manager.DestroyKey] removes it, both on a [Proof] that no row needs it or
// on a reason that is logged in its place. [Manager.EnableKey] undoes a disabling;
// nothing undoes destroying. [Manager.DestroyScope] destroys all keys of a scope.
//
// Each is a compare-and-swap on the version of the keysets, made as a whole or not
// at all, with an [Event] in the same transaction: of two operators at once one
// gets ErrConflict, and one who was interrupted can run it again.
//
// # Instances
//
// A process that has not read the stored keysets since a key was added would miss
// what others write with it. So running Managers report to a store that is an
// [InstanceStore] which versions they hold, every Config.Heartbeat, and
// [Manager.PromoteKey] makes a key the primary when all of them have it. One that
// is silent is waited for until what it held serves no more: its MaxStale +
// CacheTTL. A machine must not be suspended, with its clocks, for longer than that
// and then go on serving.
//
// # What a thief of the table can do
//
// Everything in a [Record] is encrypted or authenticated by a data key that only a
// listed KEK can unwrap, and bound to domain, tenant, purpose and version: a
// record that was changed, copied to another scope or mixed from two versions
// does not open. A record that is older than one seen before is refused by the
// Manager that saw it; Config.MinVersions does so across restarts. Who can
// write the table can destroy keys; keep backups of it.
//
// # Backwards compatibility
//
// The stored formats are those of FORMAT.md, section "Wrapped keysets". They
// change only by a new version, and every version stays readable: the vectors
// in testdata/vectors are append-only.
package keymgr
