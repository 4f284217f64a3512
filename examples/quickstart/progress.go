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

// showProgress shows a bar for the rows that db creates, if w is a terminal. The
// caller calls the returned function at the end.
func showProgress(w io.Writer, db *gorm.DB, rows int) (end func()) {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return progressBar(f, db, rows, blink)
	}
	return func() {}
}

// progressBar shows the bar once the rows have taken longer than the delay.
func progressBar(w io.Writer, db *gorm.DB, rows int, delay time.Duration) (end func()) {
	const name = "quickstart:progress"
	var bar *progressbar.ProgressBar
	done, began := 0, time.Now()
	_ = db.Callback().Create().After("gorm:create").Register(name, func(tx *gorm.DB) {
		done += int(tx.RowsAffected)
		if bar == nil && time.Since(began) >= delay {
			bar = progressbar.NewOptions(rows, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription("   inserting"),
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
