// Command fieldcrypt is the operator's side of fieldcrypt: what has to happen to
// the keys in a database, and to the rows that they have sealed, before and beside
// the applications that use them.
//
//	fieldcrypt ddl --execute                     make all tables
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
//	fieldcrypt doctor                            see whether all is well
//	fieldcrypt manifest check                    compare the models with the tables
//	fieldcrypt rotate medical                    replace a domain's keys, online: the
//	                                             whole road; --execute does it
//	fieldcrypt migrate plan, start, work         or step by step, in many processes
//	fieldcrypt migrate status, set, pause, ...   see and steer it
//	fieldcrypt migrate failures list             rows that could not be done
//	fieldcrypt migrate retire medical KEY        prove that a key is not needed
//	fieldcrypt migrate rollback medical KEY      go back to it
//	fieldcrypt census, verify                    count by key; open everything
//
// What changes something is tried out first: without --execute it says what it
// would do. Flags come before the environment (FIELDCRYPT_MANIFEST for --manifest),
// and that before the file that --config names.
//
// The commands of migrations work from a manifest, which the application writes.
// They are package migratecmd, which an application with transforms of its own puts
// into a program of its own.
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
//	 5  another process has taken over the work
//	64  wrong use: the command cannot work as it was given
//
// # Reading the source
//
// root.go and exit.go are the frame; database.go, kek.go and scope.go turn flags
// into things; config.go and project.go do so for migrations, whose commands are in
// package migratecmd; every other command is a file of its own, named after it.
package main
