package awskmstest

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const maxTags = 50

type tag struct{ TagKey, TagValue *string }

// tags reads a list of tags.
func (p *params) tags(name string) []tag {
	list, _ := read[[]tag](p, name, false, "List")
	for i, t := range list {
		at := fmt.Sprintf("%s.%d.member", wireName(name), i+1)
		p.tagPart(at+".tagKey", t.TagKey, 1, 128)
		p.tagPart(at+".tagValue", t.TagValue, 0, 256)
	}
	return list
}

func (p *params) tagPart(at string, s *string, min, max int) {
	if s == nil {
		p.violate("Value null at '%s' failed to satisfy constraint: Member must not be null", at)
		return
	}
	p.length(fmt.Sprintf("Value '%s' at '%s'", *s, at), utf8.RuneCountInString(*s), min, max)
}

// tagMap turns a list that has been read into the tags of a key.
func tagMap(list []tag) (map[string]string, error) {
	if len(list) > maxTags {
		return nil, fail("TagException", "Too many tags")
	}
	tags := make(map[string]string, len(list))
	for _, t := range list {
		if strings.HasPrefix(strings.ToLower(*t.TagKey), "aws:") {
			return nil, fail("TagException", "Tags beginning with aws: are reserved")
		}
		if _, twice := tags[*t.TagKey]; twice {
			return nil, fail("TagException", "Duplicate tag keys")
		}
		tags[*t.TagKey] = *t.TagValue
	}
	return tags, nil
}
