package main

import "github.com/fieldcrypt/go/drivers/gormcrypt"

// Customer is who pays. The database sees neither names nor account numbers.
type Customer struct {
	gormcrypt.Encrypted
	ID   uint64
	Name string  `fieldcrypt:"personal"`
	IBAN string  `fieldcrypt:"finance,index=alnum|upper" gorm:"column:iban;uniqueIndex"`
	Card *string `fieldcrypt:"finance"`
}
