package main

import (
	"slices"
	"strings"
)

// locale is where a made-up patient comes from.
type locale struct {
	given, family []string
	name          func(given, family string) string
	id            string // pattern of the national ID: see nationalIDs
	notes         []string
}

// Orders of a name.
func givenFirst(given, family string) string  { return given + " " + family }
func familyFirst(given, family string) string { return family + " " + given }
func joined(given, family string) string      { return family + given }
func comma(given, family string) string       { return family + ", " + given }

// names splits a list; an underscore is a space inside a name.
func names(list string) []string {
	fields := strings.Fields(list)
	for i, f := range fields {
		fields[i] = strings.ReplaceAll(f, "_", " ")
	}
	return fields
}

var locales = slices.Concat(latin, otherAlphabets, asian)
