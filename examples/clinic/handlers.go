package main

import (
	"net/http"
	"strconv"
)

func (s *server) createPatient(w http.ResponseWriter, r *http.Request) error {
	in, err := readInput(r)
	if err != nil {
		return err
	}
	p, err := in.patient()
	if err != nil {
		return err
	}
	if err := s.store.create(r.Context(), &p); err != nil {
		return err
	}
	s.log.InfoContext(r.Context(), "patient created", "patient", p) // prints {"id":1}
	w.Header().Set("Location", "/patients/"+strconv.FormatUint(p.ID, 10))
	return writeJSON(w, http.StatusCreated, view(p)) // p still holds its plaintext
}

func (s *server) getPatient(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	p, err := s.store.get(r.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, view(p))
}

// page is an answer of GET /patients.
type page struct {
	Patients []patientView `json:"patients"`
	Next     string        `json:"next,omitempty"` // where the next page is
}

// listPatients answers GET /patients: a page of all, or of those that a search finds.
func (s *server) listPatients(w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r)
	if err != nil {
		return err
	}
	patients, err := s.store.list(r.Context(), q.column, q.value, q.after, q.limit+1)
	if err != nil {
		return err
	}
	answer := page{Patients: []patientView{}}
	for i, p := range patients {
		if i == q.limit { // there is more
			q.after = patients[i-1].ID
			answer.Next = "/patients?" + q.encode()
			break
		}
		answer.Patients = append(answer.Patients, view(p))
	}
	return writeJSON(w, http.StatusOK, answer)
}

// updatePatient changes what the body names, and nothing else.
func (s *server) updatePatient(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	in, err := readInput(r)
	if err != nil {
		return err
	}
	changes, err := in.changes()
	if err != nil {
		return err
	}
	if len(changes) == 0 {
		return invalid("the body changes nothing")
	}
	p, err := s.store.update(r.Context(), id, changes, in.OldMRN.value)
	if err != nil {
		return err
	}
	s.log.InfoContext(r.Context(), "patient changed", "patient", p)
	return writeJSON(w, http.StatusOK, view(p))
}

func (s *server) deletePatient(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	if err := s.store.delete(r.Context(), id); err != nil {
		return err
	}
	s.log.InfoContext(r.Context(), "patient deleted", "patient", Patient{ID: id})
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// health says whether requests can be served: the database answers, and keys are
// there to use. It asks no KMS while the cached ones are good.
func (s *server) health(w http.ResponseWriter, r *http.Request) error {
	if err := s.ready(r.Context()); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// pathID is the number in the path. What is no number, or more than a database
// holds, is nobody's.
func pathID(r *http.Request) (uint64, error) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 63)
	if err != nil {
		return 0, errNotFound
	}
	return id, nil
}
