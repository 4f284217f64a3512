package migrate

import (
	"errors"
	"testing"
	"time"
)

func TestWindows(t *testing.T) {
	for _, c := range []struct {
		window, at string
		want       bool
	}{
		{"22:00-05:30", "23:59", true}, {"22:00-05:30", "00:00", true}, {"22:00-05:30", "05:29", true}, {"22:00-05:30", "05:30", false},
		{"22:00-05:30", "12:00", false}, {"09:00-17:00", "09:00", true}, {"09:00-17:00", "17:00", false}, {"00:00-24:00", "23:59", true}, {"09:00-09:00", "09:00", false},
	} {
		at, err := time.Parse("15:04", c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := within([]string{"03:00-03:00", c.window}, at); got != c.want {
			t.Errorf("%s at %s: %v", c.window, c.at, got)
		}
	}
	for _, w := range []string{"", "9:00-17:00", "09:00", "09:60-10:00", "24:00-25:00", "09:00-17:00 ", "-1:00-02:00"} {
		if _, _, err := parseWindow(w); !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v", w, err)
		}
	}
}
