package drivertest

import (
	"fmt"
	"strings"

	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

func canaryPerson(id int64) Person {
	return Person{ID: id, Ward: "A", Name: Canary, MRN: fmt.Sprint(Canary, id), Card: "7391 7391", Notes: ptr(Canary)}
}

func canaryResident(id int64) Resident {
	return Resident{ID: id, Ward: "A", Name: Canary, MRN: fmt.Sprint(Canary, id), Notes: ptr(Canary), Card: "7391 7391"}
}

func canarySample(id int64) Sample {
	b := sample(id)
	b.Result, b.Remark, b.Dose, b.Free = fmt.Sprint(Canary, id), ptr(Canary), 73917391, Canary
	return b
}

func (l *leaks) people() {
	p := canaryPerson(1)
	l.after("Insert", l.Insert(l.ctx, &p))
	rows := []Person{canaryPerson(2), canaryPerson(3)}
	l.after("InsertMany", l.InsertMany(l.ctx, &rows))
	l.after("Update", l.Update(l.ctx, &p, "Name", "MRN", "Card", "Notes"))
	l.afterFailing("Insert of a duplicate", l.Insert(l.ctx, &p))
	p = canaryPerson(4)
	p.MRN = fmt.Sprint(Canary, 3)
	l.afterFailing("Insert of what is unique", l.Insert(l.ctx, &p))
	rows = []Person{p, canaryPerson(5)}
	l.afterFailing("InsertMany of what is unique", l.InsertMany(l.ctx, &rows))
	p = canaryPerson(2)
	p.MRN = fmt.Sprint(Canary, 3)
	l.afterFailing("Update to what is unique", l.Update(l.ctx, &p, "Name", "MRN"))
	var found []Person
	l.after("Find", l.Find(l.ctx, &found, "Name", Canary, strings.ToUpper(Canary)))
	if len(found) != 3 {
		l.Errorf("Find: %d rows, want 3", len(found))
	}
	_, err := l.Count(l.ctx, &Person{}, "Card", "7391 7391")
	l.after("Count", err)
	_, err = l.Delete(l.ctx, &Person{}, "MRN", fmt.Sprint(Canary, 3))
	l.after("Delete", err)
	if d, ok := l.Driver.(Upserter); ok {
		p = canaryPerson(1)
		l.after("Upsert", d.Upsert(l.ctx, &p, "MRN", "Card", "Notes"))
		l.afterFailing("Upsert by a field without an index", d.Upsert(l.ctx, &p, "Notes", "Card"))
	}
}

func (l *leaks) residents() {
	r := canaryResident(1)
	l.after("Insert for a tenant", l.Insert(l.in(acme), &r))
	rows := []Resident{canaryResident(101), canaryResident(102)}
	l.after("InsertMany for a tenant", l.InsertMany(l.in(hill), &rows))
	l.after("Update for a tenant", l.Update(l.in(acme), &r, "Name", "MRN", "Notes", "Card"))
	var found []Resident
	l.after("Find for a tenant", l.Find(l.in(acme), &found, "Name", Canary, Canary+"x"))
	_, err := l.Count(l.in(acme), &Resident{}, "MRN", r.MRN)
	l.after("Count for a tenant", err)
	_, err = l.Delete(l.in(hill), &Resident{}, "MRN", fmt.Sprint(Canary, 102))
	l.after("Delete for a tenant", err)
	for _, tenant := range []string{"", hill, none} {
		r = canaryResident(9)
		if tenant == hill {
			r.Clinic = acme
		}
		ctx := l.in(tenant)
		l.afterFailing("Insert for a wrong tenant", l.Insert(ctx, &r))
		l.afterFailing("Update for a wrong tenant", l.Update(ctx, &r, "Name", "MRN"))
		rows = []Resident{r}
		l.afterFailing("InsertMany for a wrong tenant", l.InsertMany(ctx, &rows))
		if tenant == hill {
			continue
		}
		l.afterFailing("Find for a wrong tenant", l.Find(ctx, &found, "Name", Canary))
		_, err = l.Delete(ctx, &Resident{}, "MRN", Canary)
		l.afterFailing("Delete for a wrong tenant", err)
	}
	l.ok(l.Overwrite(l.ctx, residents, "clinic", 1, []byte(hill)))
	l.afterFailing("Get of another tenant's row", l.Get(l.ctx, &r, 1))
	l.ok(l.Overwrite(l.ctx, residents, "clinic", 1, []byte(acme)))
	l.after("Get for a tenant", l.Get(l.ctx, &r, 1))
}

func (l *leaks) samples() {
	b := canarySample(1)
	l.after("Insert of bound values", l.Insert(l.ctx, &b))
	rows := []Sample{canarySample(2), canarySample(3)}
	l.after("InsertMany of bound values", l.InsertMany(l.ctx, &rows))
	l.after("Update of bound values", l.Update(l.ctx, &b, "Result", "Remark", "Dose", "Free"))
	b.Code, b.Key[5] = nil, 5
	if _, ok := l.Driver.(UpdateGuard); ok {
		l.afterFailing("Update of a bound column", l.Update(l.ctx, &b, "Key", "Free"))
	}
	l.afterFailing("Update of a value bound to NULL", l.Update(l.ctx, &b, "Code", "Remark"))
	b.ID = 4
	l.afterFailing("Insert of a value bound to NULL", l.Insert(l.ctx, &b))
	var found []Sample
	l.after("Find of bound values", l.Find(l.ctx, &found, "Result", fmt.Sprint(Canary, 2)))
	l.after("Find of bound values by number", l.Find(l.ctx, &found, "Dose", 73917391))
	if d, ok := l.Driver.(PartReader); ok {
		l.after("GetFields", d.GetFields(l.ctx, &b, 2, "Result"))
	}
	l.ok(l.Overwrite(l.ctx, samples, "result", 1, l.stored(samples, "result", 2)))
	l.afterFailing("Get of another row's value", l.Get(l.ctx, &b, 1))
}

func (l *leaks) refused() {
	var found []Person
	l.afterFailing("Find by a field without an index", l.Find(l.ctx, &found, "Notes", Canary))
	l.afterFailing("Find by what is no text", l.Find(l.ctx, &found, "MRN", []string{Canary}, map[string]string{Canary: Canary}))
	var values []Values
	for _, field := range []string{"Int", "Addr", "Time", "UUID", "Level"} {
		l.afterFailing("Find by a value of another type", l.Find(l.ctx, &values, field, Canary))
	}
	for what, v := range map[string]Values{
		"invalid UTF-8": {Text: Canary + "\xff", Raw: []byte(`0`)},
		"invalid JSON":  {Text: Canary, Raw: []byte(Canary)},
		"a function":    {Text: Canary, Raw: []byte(`0`), Any: map[string]any{Canary: func() {}}},
		"deep JSON":     {Text: Canary, Raw: []byte(`0`), Any: []any{Canary, deep(20000)}},
	} {
		v.ID = 1
		l.afterFailing("Insert of "+what, l.Insert(l.ctx, &v))
	}
	var p Person
	was := l.stored(people, "mrn", 1)
	l.ok(l.Overwrite(l.ctx, people, "mrn", 1, was[:len(was)-1]))
	l.afterFailing("Get of a value that was cut off", l.Get(l.ctx, &p, 1))
	l.ok(l.Overwrite(l.ctx, people, "mrn", 1, []byte(Canary)))
	l.logged = len(l.Log()) // what put it there may have said so
	err := l.Get(l.ctx, &p, 1)
	if err == nil {
		l.Error("Get of plaintext: no error")
	}
	l.listen("Get of plaintext", err)
	err = l.Find(l.ctx, &found, "Name", Canary)
	if err == nil {
		l.Error("Find of plaintext: no error")
	}
	l.listen("Find of plaintext", err)
	l.ok(l.Overwrite(l.ctx, people, "mrn", 1, was))
}

func (l *leaks) withoutKeys() {
	for _, fail := range []func(*keymgrtest.KEK){(*keymgrtest.KEK).Deny, (*keymgrtest.KEK).Unavailable} {
		for _, kek := range l.kms {
			fail(kek)
		}
		l.cold()
		p, r, b := canaryPerson(9), canaryResident(9), canarySample(9)
		ctx := l.in(acme)
		l.afterFailing("Insert without keys", l.Insert(ctx, &p))
		l.afterFailing("Insert for a tenant without keys", l.Insert(ctx, &r))
		l.afterFailing("Insert of bound values without keys", l.Insert(ctx, &b))
		rows := []Person{canaryPerson(9)}
		l.afterFailing("InsertMany without keys", l.InsertMany(ctx, &rows))
		l.afterFailing("Update without keys", l.Update(ctx, &p, "Name", "MRN", "Card"))
		l.afterFailing("Update for a tenant without keys", l.Update(ctx, &r, "Name", "MRN"))
		l.afterFailing("Update of bound values without keys", l.Update(ctx, &b, "Result"))
		var people []Person
		var residents []Resident
		l.afterFailing("Find without keys", l.Find(ctx, &people, "Name", Canary))
		l.afterFailing("Find for a tenant without keys", l.Find(ctx, &residents, "Name", Canary))
		l.afterFailing("Get without keys", l.Get(ctx, &Person{}, 1))
		l.afterFailing("Get for a tenant without keys", l.Get(ctx, &Resident{}, 1))
		l.same("the caller's row", p, canaryPerson(9))
		l.same("the caller's row for a tenant", clearTenant(r), canaryResident(9))
		l.same("the caller's row of bound values", b, canarySample(9))
		for _, kek := range l.kms {
			kek.Recover()
		}
		l.cold()
	}
	_, err := l.Delete(l.ctx, &Person{}, "Name", Canary)
	l.after("Delete of all", err)
}
