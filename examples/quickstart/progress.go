package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
	"gorm.io/gorm"
)

// blink is how long something may take before it needs a progress bar.
const blink = 300 * time.Millisecond

// showProgress shows a bar for the rows that db creates, on a terminal and once
// they have taken longer than a blink. The caller calls the returned function
// at the end.
func showProgress(w io.Writer, db *gorm.DB, rows int) (end func()) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func() {}
	}
	const name = "quickstart:progress"
	var bar *progressbar.ProgressBar
	done, began := 0, time.Now()
	_ = db.Callback().Create().After("gorm:create").Register(name, func(tx *gorm.DB) {
		done += int(tx.RowsAffected)
		if bar == nil && time.Since(began) > blink {
			bar = progressbar.NewOptions(rows, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription("   inserting"),
				progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(false), progressbar.OptionClearOnFinish())
		}
		if bar != nil {
			_ = bar.Set(done)
		}
	})
	return func() {
		_ = db.Callback().Create().Remove(name)
		if bar != nil {
			_ = bar.Clear()
		}
	}
}
