package main

import (
	"context"
	"errors"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// ErrUnknownCustomer says that no customer has the account.
var ErrUnknownCustomer = errors.New("unknown customer")

// Service keeps customers. Its database has the gormcrypt plugin.
type Service struct{ db *gorm.DB }

// Register adds a customer, or changes the name of who has the account already.
func (s *Service) Register(ctx context.Context, name, iban string) error {
	c := Customer{Name: name, IBAN: iban}
	return s.db.WithContext(ctx).Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "iban_bidx"}},
		DoUpdates: clause.AssignmentColumns([]string{"name"}),
	}).Create(&c).Error
}

// ByIBAN finds a customer by the account, however that is typed.
func (s *Service) ByIBAN(ctx context.Context, iban string) (*Customer, error) {
	var c Customer
	err := s.db.WithContext(ctx).Where("iban = ?", iban).First(&c).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, ErrUnknownCustomer
	}
	return &c, err
}

// SetCard keeps a card for the customer with the account.
func (s *Service) SetCard(ctx context.Context, iban, card string) error {
	c, err := s.ByIBAN(ctx, iban)
	if err != nil {
		return err
	}
	return s.db.WithContext(ctx).Model(c).Update("card", card).Error
}
