// Command fieldcrypt is the operator's side of fieldcrypt: what has to happen to
// the keys in a database before, and beside, the applications that use them.
//
//	fieldcrypt keys migrate                      make the tables
//	fieldcrypt keys create medical --kek URI     make the keysets of a domain
//	fieldcrypt keys list                         see what there is
//	fieldcrypt keys add medical --kek URI        give it a new key, and so on:
//	fieldcrypt keys promote, disable, enable, destroy
//	fieldcrypt keys instances                    see who runs, with which keys
//	fieldcrypt keys rewrap medical --kek URI     move to another KMS key
//	fieldcrypt keys rewrap --all --kek URI       and with every tenant
//	fieldcrypt keys destroy-scope notes/acme     destroy all keys of a tenant
//
// Each command explains itself with --help. Secrets are never arguments: the
// password of the database comes from FIELDCRYPT_DATABASE_URL or from where
// Postgres clients keep theirs, keys come from a KMS, a file or the environment.
//
// # Exit codes
//
//	 0  done
//	 1  failed for a reason that has no class of its own
//	 2  incomplete: interrupted, or the database or the KMS did not answer;
//	    the same command, run again, goes on
//	 3  done, but for some that failed and are named
//	 4  refused: by the KMS, or because of what the database holds
//	64  wrong use: the command cannot work as it was given
//
// # Reading the source
//
// root.go and exit.go are the frame; database.go, kek.go and scope.go turn flags
// into things; every command is a file of its own, named after it.
package main
