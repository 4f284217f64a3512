package drivertest

import (
	"fmt"
	"sync"
)

// concurrency: goroutines that begin with no keys insert, update and find at once.
// They wait for one opening of each scope, and none meets another's rows.
func (s *suite) concurrency() {
	const workers, rounds = 8, 3
	s.cold()
	calls := map[string]int{}
	for domain, kek := range s.kms {
		calls[domain] = kek.Calls().Total()
	}
	var wg sync.WaitGroup
	start := make(chan struct{})
	for w := range workers {
		wg.Go(func() {
			<-start
			for round := range rounds {
				if err := s.worker(int64(1+w*rounds+round), []string{acme, hill}[w%2]); err != nil {
					s.Errorf("worker %d, round %d: %v", w, round, err)
				}
			}
		})
	}
	close(start)
	wg.Wait()
	for domain, want := range map[string]int{"medical": 1, "finance": 1, "clinical": 2} {
		if n := s.kms[domain].Calls().Total() - calls[domain]; n != want {
			s.Errorf("%d KMS calls for %s, want %d", n, domain, want)
		}
	}
	if n, err := s.Count(s.ctx, &Person{}, "Name", "worked"); err != nil || n != workers*rounds {
		s.Errorf("%d rows, %v; want %d", n, err, workers*rounds)
	}
}

// worker writes a row of each kind and reads it again.
func (s *suite) worker(id int64, tenant string) error {
	p := person(id)
	if err := s.Insert(s.ctx, &p); err != nil {
		return err
	}
	r := resident(id)
	if err := s.Insert(s.in(tenant), &r); err != nil {
		return err
	}
	b := []Sample{sample(id)}
	if err := s.InsertMany(s.ctx, &b); err != nil {
		return err
	}
	p.Name, p.Notes = "Worked", nil
	if err := s.Update(s.ctx, &p, "Name", "MRN", "Notes"); err != nil {
		return err
	}
	b[0].Result = p.MRN
	if err := s.Update(s.ctx, &b[0], "Result"); err != nil {
		return err
	}
	var people []Person
	var residents []Resident
	var samples []Sample
	if err := s.Find(s.ctx, &people, "MRN", p.MRN, "none"); err != nil {
		return err
	}
	if err := s.Find(s.in(tenant), &residents, "MRN", r.MRN); err != nil {
		return err
	}
	if err := s.Find(s.ctx, &samples, "Result", p.MRN); err != nil {
		return err
	}
	if len(people) != 1 || len(residents) != 1 || len(samples) != 1 {
		return fmt.Errorf("%d, %d and %d rows are found", len(people), len(residents), len(samples))
	}
	s.same("a person", people[0], p)
	s.same("a resident", residents[0], residentOf(tenant, id))
	s.same("a sample", samples[0], b[0])
	return nil
}
