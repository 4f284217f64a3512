package main

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strings"
	"time"
)

//go:embed testdata/patients.csv
var patientsCSV string

// null is how the CSV says NULL; an empty field is an empty string. No field
// holds this text.
const null = `\N`

// readPatients reads the CSV. Its errors name lines, and hold no value.
func readPatients() ([]Patient, error) {
	rows, err := csv.NewReader(strings.NewReader(patientsCSV)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("patients.csv: %w", err)
	}
	patients := make([]Patient, 0, len(rows))
	for i, row := range rows[1:] { // without the header
		born, err := time.Parse(time.DateOnly, row[4])
		if err != nil {
			return nil, fmt.Errorf("patients.csv: patient %d: the birth date is no date", i+1)
		}
		patients = append(patients, Patient{
			MRN:        row[0],
			Name:       row[1],
			NationalID: nullable(row[2]),
			Card:       row[3],
			BirthDate:  born,
			Notes:      nullable(row[5]),
		})
	}
	return patients, nil
}

func nullable(field string) *string {
	if field == null {
		return nil
	}
	return &field
}

// compare checks that got are exactly the patients of the CSV, in any order.
// Its errors name the patient's place in the CSV and the column, and hold no
// value.
func compare(got, want []Patient) error {
	byMRN := make(map[string]Patient, len(got))
	for _, p := range got {
		byMRN[p.MRN] = p
	}
	if len(got) != len(want) || len(byMRN) != len(want) {
		return fmt.Errorf("%d patients with %d different MRNs, want %d", len(got), len(byMRN), len(want))
	}
	for i, w := range want {
		p, ok := byMRN[w.MRN]
		if !ok {
			return fmt.Errorf("patient %d of the CSV is missing", i+1)
		}
		if column := difference(p, w); column != "" {
			return fmt.Errorf("patient %d of the CSV differs in %s", i+1, column)
		}
	}
	return nil
}

// difference names a column in which two patients with one MRN differ, or "".
func difference(a, b Patient) string {
	switch {
	case a.Name != b.Name:
		return "name"
	case !equal(a.NationalID, b.NationalID):
		return "national_id"
	case a.Card != b.Card:
		return "card"
	case a.BirthDate.Format(time.RFC3339Nano) != b.BirthDate.Format(time.RFC3339Nano):
		return "birth_date"
	case !equal(a.Notes, b.Notes):
		return "notes"
	}
	return ""
}

func equal(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
