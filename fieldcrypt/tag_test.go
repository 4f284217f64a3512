package fieldcrypt

import (
	"strings"
	"testing"
)

func TestTagGrammar(t *testing.T) {
	for raw, want := range map[string]tag{
		"medical":                     {domain: "medical"},
		"m-1_x":                       {domain: "m-1_x"},
		",tenant":                     {tenant: true},
		"medical,index":               {domain: "medical", index: true},
		"finance,index=digits":        {domain: "finance", index: true, transform: "digits"},
		"finance,index=trim|last(4)":  {domain: "finance", index: true, transform: "trim|last(4)"},
		"medical,pad=64":              {domain: "medical", pad: 64},
		"medical,id=patients.mrn":     {domain: "medical", id: identity{"patients", "mrn"}},
		"medical,bind=ID":             {domain: "medical", bind: "ID"},
		"medical,plain=mrn":           {domain: "medical", plain: "mrn"},
		"medical,plain=mrn,fallback":  {domain: "medical", plain: "mrn", fallback: true},
		"a,index,pad=2,id=t.c,bind=F": {domain: "a", index: true, pad: 2, id: identity{"t", "c"}, bind: "F"},
	} {
		got, err := parseTag(raw)
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v; want %+v", raw, got, err, want)
		}
	}
}

func TestTagRefusals(t *testing.T) {
	for raw, want := range map[string]string{
		"":                           "must begin with a key domain",
		",index":                     "must begin with a key domain",
		",tenant,index":              "must begin with a key domain",
		"Medical":                    "does not match",
		"1medical":                   "does not match",
		" medical":                   "does not match",
		strings.Repeat("a", 64):      "does not match",
		"medical,":                   "ends with a comma",
		"medical,,index":             "unknown option",
		"medical,indx":               "unknown option",
		"medical, index":             "unknown option",
		"medical,index=":             "nothing may stand after",
		"medical,index,index=lower":  "given twice",
		"medical,pad":                "needs a value",
		"medical,pad=1":              "from 2 to 4096",
		"medical,pad=4097":           "from 2 to 4096",
		"medical,pad=x":              "from 2 to 4096",
		"medical,id=patients":        "exactly one dot",
		"medical,id=a.b.c":           "exactly one dot",
		"medical,id=.c":              "exactly one dot",
		"medical,bind":               "needs a value",
		"medical,plain=":             "needs a value",
		"medical,fallback":           "goes with plain",
		"medical,plain=c,fallback=1": "nothing may stand after",
		"medical,tenant":             "tenant column is plain",
	} {
		if _, err := parseTag(raw); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v; want an error with %q", raw, err, want)
		}
	}
}

func FuzzTag(f *testing.F) {
	f.Add("medical,index=digits|last(4),pad=64,id=a.b,bind=ID,plain=c,fallback")
	f.Add(",tenant")
	f.Fuzz(func(t *testing.T, raw string) {
		tag, err := parseTag(raw)
		if err == nil && !tag.tenant && !validDomain(tag.domain) {
			t.Errorf("%q was taken with domain %q", raw, tag.domain)
		}
	})
}
