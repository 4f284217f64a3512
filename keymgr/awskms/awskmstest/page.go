package awskmstest

import (
	"encoding/base64"
	"slices"
)

// page is a part of a list that a caller asks for.
type page struct {
	limit  int
	marker string // opaque to callers: the last item of the page before
}

// page reads Limit and Marker. Limits from most to 1,000 are allowed and mean
// most.
func (p *params) page(standard, most int) page {
	pg := page{limit: standard, marker: p.str("Marker", false, 1, 1024)}
	if n := p.integer("Limit", 1, 1000); n != nil {
		pg.limit = min(*n, most)
	}
	return pg
}

// of cuts the page out of sorted items. next is "" at the end.
func (pg page) of(items []string) (part []string, next string, err error) {
	if pg.marker != "" {
		last, err := base64.RawURLEncoding.DecodeString(pg.marker)
		if err != nil {
			return nil, "", fail("InvalidMarkerException", "Could not deserialize marker.")
		}
		i, found := slices.BinarySearch(items, string(last))
		if found {
			i++
		}
		items = items[i:]
	}
	if len(items) <= pg.limit {
		return items, "", nil
	}
	items = items[:pg.limit]
	return items, base64.RawURLEncoding.EncodeToString([]byte(items[pg.limit-1])), nil
}
