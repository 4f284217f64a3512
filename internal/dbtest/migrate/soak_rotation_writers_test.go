//go:build unix

package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
)

// soakWriter owns some rows, so that what was last committed is known.
type soakWriter struct {
	s    *soakService
	rng  *rand.Rand
	rows map[int64]soakPerson
	ids  []int64 // of rows, and of some that are gone
	next int64
	done map[string]int // operations by name
	err  error
}

// writers makes n rows and those who write them.
func (s *soakService) writers(t *testing.T, rng *rand.Rand, n int) []*soakWriter {
	t.Helper()
	writers := make([]*soakWriter, 4)
	for i := range writers {
		w := &soakWriter{s: s, rng: rand.New(rand.NewPCG(rng.Uint64(), 0)), rows: map[int64]soakPerson{}, next: int64(i+1) * 1_000_000_000, done: map[string]int{}}
		writers[i] = w
		for range n / len(writers) / 50 {
			ok(t, w.copyIn(50))
		}
	}
	s.exec(t, "ANALYZE soak_people")
	return writers
}

// soakOps are what writers do; the weights say how often.
var soakOps = []struct {
	name   string
	weight int
	do     func(w *soakWriter, old soakPerson) error
}{
	{"GORM create", 4, func(w *soakWriter, _ soakPerson) error {
		p := w.fresh()
		return w.stored(w.s.gorm.Create(&p).Error, p)
	}},
	{"GORM create batch", 1, func(w *soakWriter, _ soakPerson) error {
		batch := []soakPerson{w.fresh(), w.fresh(), w.fresh()}
		return w.stored(w.s.gorm.Create(&batch).Error, batch...)
	}},
	{"GORM save", 8, func(w *soakWriter, old soakPerson) error {
		p := w.change(old)
		return w.stored(w.s.gorm.Save(&p).Error, p)
	}},
	{"GORM updates", 8, func(w *soakWriter, old soakPerson) error {
		p := w.change(old)
		p.Name, p.MRN = old.Name, old.MRN
		return w.stored(w.s.gorm.Model(&soakPerson{ID: p.ID}).Select("Ward", "Card", "Notes").Updates(&p).Error, p)
	}},
	{"GORM update of one column", 8, func(w *soakWriter, old soakPerson) error {
		old.Name = w.text()
		return w.stored(w.s.gorm.Model(&soakPerson{}).Where("mrn = ?", old.MRN).Update("name", old.Name).Error, old)
	}},
	{"GORM update of a plain column", 4, func(w *soakWriter, old soakPerson) error {
		old.Ward = w.text()
		return w.stored(w.s.gorm.Model(&soakPerson{ID: old.ID}).Update("ward", old.Ward).Error, old)
	}},
	{"GORM delete", 3, func(w *soakWriter, old soakPerson) error {
		return w.gone(w.s.gorm.Where("mrn = ?", old.MRN).Delete(&soakPerson{}).Error, old)
	}},
	{"GORM search", 10, func(w *soakWriter, old soakPerson) error {
		var found []soakPerson
		err := w.s.gorm.Where("mrn = ?", old.MRN).Find(&found).Error
		return w.found(err, found, old)
	}},
	{"pgx insert", 4, func(w *soakWriter, _ soakPerson) error {
		p := w.fresh()
		return w.stored(w.exec(soakInsert, p), p)
	}},
	{"pgx copy", 1, func(w *soakWriter, _ soakPerson) error { return w.copyIn(3) }},
	{"pgx update", 6, func(w *soakWriter, old soakPerson) error {
		p := w.change(old)
		return w.stored(w.exec(`UPDATE soak_people SET ward = @ward, name = @name, name_bidx = @name_bidx, mrn = @mrn, mrn_bidx = @mrn_bidx,
			card = @card, card_bidx = @card_bidx, notes = @notes WHERE id = @id`, p), p)
	}},
	{"pgx update of one column", 8, func(w *soakWriter, old soakPerson) error {
		old.Notes = w.change(old).Notes
		return w.stored(w.exec(`UPDATE soak_people SET notes = @notes WHERE id = @id`, old), old)
	}},
	{"pgx update in a transaction that stays open", 2, func(w *soakWriter, old soakPerson) error {
		old.Card = w.card()
		err := pgx.BeginFunc(context.Background(), w.s.native, func(tx pgx.Tx) error {
			_, err := tx.Exec(context.Background(), `UPDATE soak_people SET card = @card, card_bidx = @card_bidx WHERE id = @id`, pgxcrypt.Args(w.s.fc, &old))
			time.Sleep(time.Duration(w.rng.IntN(60)) * time.Millisecond) // what is sealed waits to be committed
			return err
		})
		return w.stored(err, old)
	}},
	{"pgx another id", 2, func(w *soakWriter, old soakPerson) error {
		moved := old
		w.next++
		moved.ID = w.next
		_, err := w.s.native.Exec(context.Background(), `UPDATE soak_people SET id = $2 WHERE id = $1`, old.ID, moved.ID)
		if err == nil {
			delete(w.rows, old.ID)
		}
		return w.stored(err, moved)
	}},
	{"pgx delete", 3, func(w *soakWriter, old soakPerson) error {
		_, err := w.s.native.Exec(context.Background(), `DELETE FROM soak_people WHERE id = $1`, old.ID)
		return w.gone(err, old)
	}},
	{"pgx search", 10, func(w *soakWriter, old soakPerson) error {
		terms, err := pgxcrypt.Eq[soakPerson](context.Background(), w.s.fc, "card", old.Card)
		if err != nil {
			return err
		}
		found, err := w.s.read(`card_bidx = ANY($1) AND id = $2`, terms, old.ID)
		return w.found(err, found, old)
	}},
}

const soakInsert = `INSERT INTO soak_people (id, ward, name, name_bidx, mrn, mrn_bidx, card, card_bidx, notes)
	VALUES (@id, @ward, @name, @name_bidx, @mrn, @mrn_bidx, @card, @card_bidx, @notes)`

// step does one operation.
func (w *soakWriter) step() {
	sum := 0
	for _, op := range soakOps {
		sum += op.weight
	}
	n := w.rng.IntN(sum)
	for _, op := range soakOps {
		if n -= op.weight; n < 0 {
			if err := op.do(w, w.any()); err != nil {
				w.err = fmt.Errorf("%s: %w", op.name, err)
			}
			w.done[op.name]++
			return
		}
	}
}

// any returns a row of the writer's, and makes one if there is none.
func (w *soakWriter) any() soakPerson {
	for len(w.ids) > 0 {
		i := w.rng.IntN(len(w.ids))
		if p, there := w.rows[w.ids[i]]; there {
			return p
		}
		w.ids[i] = w.ids[len(w.ids)-1]
		w.ids = w.ids[:len(w.ids)-1]
	}
	if w.err = w.copyIn(1); w.err != nil {
		return soakPerson{}
	}
	return w.rows[w.next]
}

func (w *soakWriter) copyIn(n int) error {
	people := make([]soakPerson, n)
	for i := range people {
		people[i] = w.fresh()
	}
	_, err := pgxcrypt.CopyInto(context.Background(), w.s.native, w.s.fc, pgx.Identifier{"soak_people"}, people)
	return w.stored(err, people...)
}

func (w *soakWriter) exec(sql string, p soakPerson) error {
	tag, err := w.s.native.Exec(context.Background(), sql, pgxcrypt.Args(w.s.fc, &p))
	if err == nil && tag.RowsAffected() != 1 {
		err = fmt.Errorf("%d rows of id %d", tag.RowsAffected(), p.ID)
	}
	return err
}

// stored remembers rows that were committed.
func (w *soakWriter) stored(err error, people ...soakPerson) error {
	if err != nil {
		return err
	}
	for _, p := range people {
		if _, there := w.rows[p.ID]; !there {
			w.ids = append(w.ids, p.ID)
		}
		w.rows[p.ID] = p
	}
	return nil
}

func (w *soakWriter) gone(err error, p soakPerson) error {
	if err == nil {
		delete(w.rows, p.ID)
	}
	return err
}

var errSoakRow = errors.New("a row is not found, or not what was committed last")

func (w *soakWriter) found(err error, found []soakPerson, want soakPerson) error {
	if err == nil && (len(found) != 1 || !found[0].same(want)) {
		return fmt.Errorf("row %d, %d found: %w", want.ID, len(found), errSoakRow)
	}
	return err
}

func (w *soakWriter) fresh() soakPerson {
	w.next++
	return w.change(soakPerson{ID: w.next})
}

// change changes all of a row but its id.
func (w *soakWriter) change(p soakPerson) soakPerson {
	p.Ward, p.Name, p.Card, p.Notes = w.text(), w.text(), w.card(), nil
	p.MRN = fmt.Sprintf("MRN-%d-%d", p.ID, w.rng.Uint64())
	if w.rng.IntN(4) > 0 {
		notes := w.text()
		p.Notes = &notes
	}
	return p
}

func (w *soakWriter) text() string { return fmt.Sprint("text ", w.rng.Uint64()) }

func (w *soakWriter) card() string { return fmt.Sprintf("%016d", w.rng.Uint64N(1e16)) }
