// Package policy holds tests of the module as a whole, and nothing else:
//
//   - who may import whom, and which third-party modules reach whom
//   - what tests beside public packages may import
//   - the exported API of each public package, kept as text in its api.txt;
//     after a change on purpose: go test ./internal/policy -run TestAPI -update
//   - what may not stand in any file, and how long a file may be
package policy
