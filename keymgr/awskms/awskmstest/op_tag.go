package awskmstest

import (
	"maps"
	"slices"
	"strings"
)

// keyTag is a tag as it is sent.
type keyTag struct{ TagKey, TagValue string }

func tagList(tags map[string]string) []keyTag {
	list := []keyTag{}
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, keyTag{name, tags[name]})
	}
	return list
}

func (s *Server) tagResource(r *request) (any, error) {
	list := r.tags("Tags")
	if !r.has("Tags") {
		r.violate("Value null at 'tags' failed to satisfy constraint: Member must not be null")
	}
	k, err := s.changeableKey(r)
	if err != nil {
		return nil, err
	}
	more, err := tagMap(list)
	if err != nil {
		return nil, err
	}
	tags := maps.Clone(k.tags)
	if tags == nil {
		tags = map[string]string{}
	}
	maps.Copy(tags, more)
	if len(tags) > maxTags {
		return nil, fail("TagException", "Too many tags")
	}
	k.tags = tags
	return nil, nil
}

func (s *Server) untagResource(r *request) (any, error) {
	names := r.strings("TagKeys", true, 1000, 1, 128)
	k, err := s.changeableKey(r)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasPrefix(strings.ToLower(name), "aws:") {
			return nil, fail("TagException", "Tags beginning with aws: are reserved")
		}
	}
	for _, name := range names {
		delete(k.tags, name) // nothing, if it is not there
	}
	return nil, nil
}

func (s *Server) listResourceTags(r *request) (any, error) {
	pg := r.page(50, 50)
	k, err := s.keyOfRequest(r)
	if err != nil {
		return nil, err
	}
	names, next, err := pg.of(slices.Sorted(maps.Keys(k.tags)))
	if err != nil {
		return nil, err
	}
	tags := []keyTag{}
	for _, name := range names {
		tags = append(tags, keyTag{name, k.tags[name]})
	}
	return struct {
		Tags       []keyTag
		NextMarker string `json:",omitempty"`
		Truncated  bool
	}{tags, next, next != ""}, nil
}

func (s *Server) updateKeyDescription(r *request) (any, error) {
	description := r.str("Description", true, 0, 8192)
	k, err := s.changeableKey(r)
	if err != nil {
		return nil, err
	}
	k.description = description
	return nil, nil
}

// changeableKey is keyOfRequest for what keys that are to be deleted do not take.
func (s *Server) changeableKey(r *request) (*key, error) {
	k, err := s.keyOfRequest(r)
	if err != nil {
		return nil, err
	}
	return k, k.notPending()
}
