package fieldcrypttest

import (
	"github.com/jackc/pgx/v5/pgxpool"
	"gorm.io/gorm"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr"
)

// Environment variables.
const (
	// EnvURL is the postgres:// URL of a server to use in place of a container.
	EnvURL = pgtest.EnvURL
	// EnvImage is the image of Postgres containers, whatever Options.Image says.
	EnvImage = "FIELDCRYPT_TEST_POSTGRES_IMAGE"
	// EnvBin is the folder with the binaries of a Postgres to use in place of a
	// container.
	EnvBin = pgtest.EnvBin
)

// DefaultImage is the image of Postgres containers where nobody names another.
const DefaultImage = "postgres:17-alpine"

// Options say what an environment holds. Only Models, or Domains, are required.
type Options struct {
	// Models are pointers to the structs whose tables are made: GORM models by
	// AutoMigrate, in this order; structs for native pgx, which have tags and
	// not the marker gormcrypt.Encrypted, by pgxcrypt.DDL. Where Schema has not
	// made the table of such a struct, it is made with the struct's columns and
	// the column id as its primary key.
	Models []any
	// Schema is SQL that is run first, for example the application's own
	// migrations. Defaults to none.
	Schema string

	// Domains are key domains, beside those that the tags of Models name.
	Domains []string
	// Tenants names the domains that have keys per tenant, each with the tenants
	// whose keysets are made. Others may be made by Fieldcrypt.Keys().Create.
	Tenants map[string][]string
	// Keys changes how keys are managed, for example CacheTTL or the clock.
	// StoreTimeout is 30 seconds unless it says otherwise: machines of CI are slow.
	// Store and Lazy are not its to set.
	Keys func(*keymgr.Config)
	// Crypter configures Env.Fieldcrypt.
	Crypter fieldcrypt.Config

	// Image is the image of the Postgres container. Defaults to DefaultImage.
	Image string
	// KMS is a KMS in a container. Nil: one in the process.
	KMS *KMSContainer

	// Pool changes the connection pool's configuration.
	Pool func(*pgxpool.Config)
	// GORM configures Env.GORM. Defaults to GORM's own, with a silent logger.
	GORM *gorm.Config
}
