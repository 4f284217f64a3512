package main

import (
	"testing"
	"time"
)

func TestCompareFindsEveryDifference(t *testing.T) {
	read := func() []Patient {
		patients, err := readPatients()
		if err != nil {
			t.Fatal(err)
		}
		return patients
	}
	want := read()
	if err := compare(read(), want); err != nil {
		t.Fatalf("equal: %v", err)
	}
	if len(want) != 1000 {
		t.Fatalf("%d patients, want 1000", len(want))
	}

	withNote, withoutNote, withID := -1, -1, -1
	for i, p := range want {
		switch {
		case p.Notes == nil:
			withoutNote = i
		case *p.Notes != "":
			withNote = i
		}
		if p.NationalID != nil {
			withID = i
		}
	}
	empty := ""
	for name, change := range map[string]func(p []Patient) []Patient{
		"one less":                func(p []Patient) []Patient { return p[1:] },
		"one twice":               func(p []Patient) []Patient { return append(p[1:], p[1]) },
		"one too many":            func(p []Patient) []Patient { return append(p, Patient{MRN: "MRN-1"}) },
		"MRN":                     func(p []Patient) []Patient { p[3].MRN = "MRN-1"; return p },
		"name":                    func(p []Patient) []Patient { p[3].Name += " "; return p },
		"national ID":             func(p []Patient) []Patient { *p[withID].NationalID += "0"; return p },
		"national ID becomes nil": func(p []Patient) []Patient { p[withID].NationalID = nil; return p },
		"card":                    func(p []Patient) []Patient { p[3].Card = "4" + p[3].Card; return p },
		"birth date":              func(p []Patient) []Patient { p[3].BirthDate = p[3].BirthDate.AddDate(0, 0, 1); return p },
		"zone of the birth date":  func(p []Patient) []Patient { p[3].BirthDate = p[3].BirthDate.In(time.FixedZone("", 3600)); return p },
		"note":                    func(p []Patient) []Patient { *p[withNote].Notes += "x"; return p },
		"NULL becomes empty":      func(p []Patient) []Patient { p[withoutNote].Notes = &empty; return p },
		"note becomes NULL":       func(p []Patient) []Patient { p[withNote].Notes = nil; return p },
	} {
		t.Run(name, func(t *testing.T) {
			err := compare(change(read()), want)
			if err == nil {
				t.Fatal("not found")
			}
			checkNoValues(t, err.Error())
		})
	}
}
