package main

import (
	"net/http"
	"net/url"
	"strconv"
)

const (
	defaultPage = 20
	maxPage     = 100
)

// query is what GET /patients is asked.
type query struct {
	column, value string // of a search, or ""
	after         uint64 // the id before the page
	limit         int
}

// encode is the opposite of parseQuery.
func (q query) encode() string {
	values := url.Values{"after": {strconv.FormatUint(q.after, 10)}, "limit": {strconv.Itoa(q.limit)}}
	if q.column != "" {
		values.Set(q.column, q.value)
	}
	return values.Encode()
}

func parseQuery(r *http.Request) (query, error) {
	q := query{limit: defaultPage}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return q, invalid("the query cannot be read")
	}
	for name, v := range values {
		if len(v) != 1 {
			return q, invalid("a parameter stands twice in the query")
		}
		var err error
		switch name {
		case "mrn", "card", "name", "notes": // by which of them a search is possible, the store knows
			if q.column != "" {
				return q, invalid("a search takes one field")
			}
			if name == "mrn" && !mrnPattern.MatchString(v[0]) || name == "card" && !cardPattern.MatchString(v[0]) {
				return q, invalid("that can be no " + name)
			}
			q.column, q.value = name, v[0]
		case "after":
			q.after, err = strconv.ParseUint(v[0], 10, 63)
		case "limit":
			q.limit, err = strconv.Atoi(v[0])
			if q.limit < 1 || q.limit > maxPage {
				return q, invalid("limit must be a number from 1 to 100")
			}
		default:
			return q, invalid("the parameters are mrn or card to search, after and limit for pages")
		}
		if err != nil {
			return q, invalid(name + " must be a number")
		}
	}
	return q, nil
}
