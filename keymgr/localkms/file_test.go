package localkms_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/localkms"
)

// line is the text of a key file whose key is 32 bytes of "x".
const line = "fieldcrypt-kek-v1:eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg="

func writeFile(t *testing.T, text string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kek")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func refused(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, keymgr.ErrConfig) {
		t.Errorf("got %v, want ErrConfig", err)
	}
	if err != nil && strings.Contains(err.Error(), "eHh4") {
		t.Errorf("the error shows what is in the file: %v", err)
	}
}

func TestOpenOrCreateMakesAPrivateFileOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "kek")
	made, err := localkms.OpenOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^fieldcrypt-kek-v1:[A-Za-z0-9+/]{43}=\n$`).Match(text) {
		t.Error("the file is not the one line that FORMAT.md says")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	for name, open := range map[string]func(string) (*localkms.KEK, error){
		"Open": localkms.Open, "OpenOrCreate": localkms.OpenOrCreate,
	} {
		if again, err := open(path); err != nil || again.URI() != made.URI() {
			t.Errorf("%s: got %v, %v; want the key that was made", name, again, err)
		}
	}
	onlyFile(t, dir, "kek")
}

func TestOpenOrCreateAtOnceGivesOneKey(t *testing.T) {
	dir := t.TempDir()
	const n = 50
	var (
		wg    sync.WaitGroup
		start = make(chan struct{})
		uris  [n]string
	)
	for i := range n {
		wg.Go(func() {
			<-start
			kek, err := localkms.OpenOrCreate(filepath.Join(dir, "kek"))
			if err != nil {
				t.Error(err)
				return
			}
			uris[i] = kek.URI()
		})
	}
	close(start)
	wg.Wait()
	for _, uri := range uris {
		if uri != uris[0] {
			t.Fatalf("two keys were made: %s and %s", uris[0], uri)
		}
	}
	onlyFile(t, dir, "kek")
}

// onlyFile fails if a temporary file with a key was left behind.
func onlyFile(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != name {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}

func TestOpenMissing(t *testing.T) {
	_, err := localkms.Open(filepath.Join(t.TempDir(), "kek"))
	refused(t, err)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist too", err)
	}
	_, err = localkms.OpenOrCreate(filepath.Join(t.TempDir(), "no", "kek"))
	refused(t, err) // no folder is made
}

func TestOpenRefusesFilesOthersCanUse(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps its rights elsewhere")
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o602, 0o660, 0o644, 0o666, 0o777} {
		path := writeFile(t, line+"\n", mode)
		_, err := localkms.Open(path)
		refused(t, err)
		_, err = localkms.OpenOrCreate(path)
		refused(t, err)
	}
	for _, mode := range []fs.FileMode{0o600, 0o400} {
		if _, err := localkms.Open(writeFile(t, line+"\n", mode)); err != nil {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

func TestOpenJudgesTheFileBehindALink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege there")
	}
	link := func(target string) string {
		path := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if _, err := localkms.Open(link(writeFile(t, line+"\n", 0o600))); err != nil {
		t.Errorf("a link to a private file: %v", err)
	}
	_, err := localkms.Open(link(writeFile(t, line+"\n", 0o644)))
	refused(t, err)

	target := filepath.Join(t.TempDir(), "nothing")
	_, err = localkms.OpenOrCreate(link(target))
	refused(t, err)
	if _, err := os.Lstat(target); err == nil {
		t.Error("a file was made through a dangling link")
	}
	_, err = localkms.Open(t.TempDir())
	refused(t, err) // a folder
}

func TestKeyTextIsExact(t *testing.T) {
	key := strings.TrimPrefix(line, "fieldcrypt-kek-v1:")
	for name, text := range map[string]string{
		"empty":                   "",
		"newline alone":           "\n",
		"no newline":              line,
		"two newlines":            line + "\n\n",
		"CRLF":                    line + "\r\n",
		"leading space":           " " + line + "\n",
		"trailing space":          line + " \n",
		"byte order mark":         "\ufeff" + line + "\n",
		"no prefix":               key + "\n",
		"another version":         "fieldcrypt-kek-v2:" + key + "\n",
		"upper case":              "FIELDCRYPT-KEK-V1:" + key + "\n",
		"31 bytes":                "fieldcrypt-kek-v1:eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eA==\n",
		"33 bytes":                "fieldcrypt-kek-v1:eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4\n",
		"unpadded":                strings.TrimSuffix(line, "=") + "\n",
		"bits after the last":     strings.Replace(line, "eHg=", "eHh=", 1) + "\n",
		"newline inside":          line[:30] + "\n" + line[31:] + "\n",
		"carriage return inside":  line[:30] + "\r" + line[31:] + "\n",
		"base64url":               line[:30] + "_" + line[31:] + "\n",
		"second line":             line + "\n" + line + "\n",
		"a raw key":               strings.Repeat("\x01", 32),
		"something long (1 MiB)":  strings.Repeat(line+"\n", 1<<14),
		"the right length of NUL": strings.Repeat("\x00", len(line)) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := localkms.Open(writeFile(t, text, 0o600))
			refused(t, err)
			if name == "no newline" || strings.Contains(text, "\x00") {
				return // fine there; cannot be there
			}
			t.Setenv("FIELDCRYPT_TEST_KEK", text)
			_, err = localkms.FromEnv("FIELDCRYPT_TEST_KEK")
			refused(t, err)
		})
	}
}

func TestFromEnv(t *testing.T) {
	want, err := localkms.Open(writeFile(t, line+"\n", 0o600))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{line, line + "\n"} {
		t.Setenv("FIELDCRYPT_TEST_KEK", text)
		if kek, err := localkms.FromEnv("FIELDCRYPT_TEST_KEK"); err != nil || kek.URI() != want.URI() {
			t.Errorf("got %v, %v; want the KEK of the file with the same line", kek, err)
		}
	}
	_, err = localkms.FromEnv("FIELDCRYPT_TEST_KEK_THAT_IS_NOT_SET")
	refused(t, err)
}

func FuzzOpen(f *testing.F) {
	f.Add(line + "\n")
	f.Add(line)
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "kek")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := localkms.Open(path)
		if ok := regexp.MustCompile(`^fieldcrypt-kek-v1:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=\n$`).MatchString(text); ok != (err == nil) {
			t.Errorf("%q: got %v, want success: %v", text, err, ok)
		}
	})
}
