package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

func TestProgressBarAppearsOnlyAfterItsDelay(t *testing.T) {
	type Row struct {
		ID   int
		Name string
	}
	db, err := gorm.Open(sqlite.New(sqlite.Config{DriverName: "sqlite", DSN: "file:" + t.TempDir() + "/rows.db"}))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := db.AutoMigrate(&Row{}); err != nil {
		t.Fatal(err)
	}
	insert := func(delay time.Duration) string {
		var screen bytes.Buffer
		end := progressBar(&screen, db, 50, delay)
		if err := db.CreateInBatches(make([]Row, 50), 10).Error; err != nil {
			t.Fatal(err)
		}
		end()
		return screen.String()
	}
	if text := insert(time.Hour); text != "" {
		t.Errorf("a bar before its time: %q", text)
	}
	text := insert(0)
	if !strings.Contains(text, "inserting") || !strings.Contains(text, "10/50") {
		t.Errorf("no bar: %q", text)
	}
	last := text[strings.LastIndex(strings.TrimRight(text, "\r"), "\r")+1:]
	if strings.TrimSpace(last) != "" {
		t.Errorf("the bar stays on the screen: %q", last)
	}
}
